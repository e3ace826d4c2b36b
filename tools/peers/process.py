"""A driver as the runner sees it: a process that is told things and answers."""

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any, Self

import psutil

from tools.peers.install import ROOT, command
from tools.peers.targets import Target

_ANSWER_S = 600.0
_END_S = 10.0
_TOLD = 2_000


class PeerError(Exception):
    """A driver failed, or its engine did something wrong; there is no figure then."""


class DriverProcess:
    """`with DriverProcess(target, url) as driver:` a driver's process, which ends with the block.

    `say` and `hear` are apart so that several drivers can be told before the first is heard. Both raise PeerError.
    """

    def __init__(self, target: Target, url: str) -> None:
        self._target = target
        self._url = url

    def __enter__(self) -> Self:
        arguments, folder = command(self._target)
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [*arguments, self._url, json.dumps(dict(self._target.settings))],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self._seen = psutil.Process(self._process.pid)
        try:
            self.ask("open")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def say(self, do: str, **values: Any) -> None:
        """Send a command."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            self._process.stdin.write(json.dumps({"do": do, **values}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def hear(self) -> dict[str, Any]:
        """Wait for the answer."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        if not select.select([self._process.stdout], [], [], _ANSWER_S)[0]:
            raise PeerError(f"{self._target.name}: no answer within {_ANSWER_S:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self._target.name}: {answer['error']}")
        return answer

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.say(do, **values)
        return self.hear()

    def cpu_s(self) -> float:
        """The processor time of the process and of its children so far, in seconds."""
        family = [self._seen, *self._seen.children(recursive=True)]
        return float(sum(times.user + times.system for times in (one.cpu_times() for one in family)))

    def rss_mib(self) -> float:
        """Its resident memory, with its children's."""
        family = [self._seen, *self._seen.children(recursive=True)]
        return float(sum(one.memory_info().rss for one in family)) / 1024 / 1024

    def _died(self) -> PeerError:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        return PeerError(f"{self._target.name}: the driver died: {said[-_TOLD:] or 'without a word'}")


def tell_all(drivers: Sequence[DriverProcess], do: str) -> list[dict[str, Any]]:
    """The answers of all of them to a command that they get at once."""
    for driver in drivers:
        driver.say(do)
    return [driver.hear() for driver in drivers]
