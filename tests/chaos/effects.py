"""The log of side effects: what handlers and producers say they have done, apart from any database.

Lines are appended by `O_APPEND`, so that many processes share the file and a kill loses nothing that was written.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_END = "."


def has_a_say(number: int) -> bool:
    """Whether a piece of this number streams."""
    return number % 5 == 0


def said(claim: int) -> list[str]:
    """What a run of such a piece streams, piece by piece."""
    return [f"{claim} {line}\n" for line in range(6)]


@dataclass(frozen=True, slots=True)
class Effect:
    """One line. what: `begin` and `end` of a run; `refused` and `accepted` of a write that came late; `told` for a job

    whose producer was answered that it is committed (its attempt and claim are 0). at: monotonic ns of the machine.
    """

    what: str
    kind: str
    job: str
    attempt: int
    claim: int
    pid: int
    at: int

    def line(self) -> str:
        """As it stands in the file."""
        return f"\n{self.what} {self.kind} {self.job} {self.attempt} {self.claim} {self.pid} {self.at} {_END}"


class EffectLog:
    """The writing side, one per process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, what: str, kind: str, job: str, attempt: int = 0, claim: int = 0) -> None:
        """Append one line."""
        self.write_all([Effect(what, kind, job, attempt, claim, os.getpid(), time.monotonic_ns())])

    def write_all(self, effects: Iterable[Effect]) -> None:
        """Append lines in one go."""
        os.write(self._file, "".join(effect.line() for effect in effects).encode())

    def told(self, jobs: Iterable[tuple[str, str]]) -> None:
        """Note the jobs (kind, id) that the store has just said are committed."""
        now = time.monotonic_ns()
        self.write_all([Effect("told", kind, job, 0, 0, os.getpid(), now) for kind, job in jobs])


def read_effects(path: Path) -> list[Effect]:
    """All whole lines, in order; what a kill cut off in the middle of its write stands apart and is left out."""
    if not path.exists():
        return []
    words = (line.split(" ") for line in path.read_text().splitlines())
    return [
        Effect(what, kind, job, int(attempt), int(claim), int(pid), int(at))
        for what, kind, job, attempt, claim, pid, at, _ in (
            line for line in words if len(line) == 8 and line[7] == _END
        )
    ]
