"""Several worker processes under one parent: started, watched, stopped together."""

import asyncio
import signal
import time
from collections.abc import Sequence

from penstock.worker.logs import get_logger
from penstock.worker.pacing import Backoff

logger = get_logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
HOPELESS_S = 3.0
"""A child that ends by itself so soon after its first start is not started again: what ails it is its configuration."""
_CAP_S = 30.0


async def spawn(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Start a child in a process group of its own: a Ctrl-C reaches it through its parent only, and so once."""
    return await asyncio.create_subprocess_exec(*command, process_group=0)


def exit_code(returncode: int) -> int:
    """The exit code of a child as a shell would say it: 128 + n when signal n ended it."""
    return returncode if returncode >= 0 else 128 - returncode


class Processes:
    """Keeps `count` children running `command` (an argument list) until it is asked to stop."""

    def __init__(self, count: int, command: Sequence[str]) -> None:
        self._count = count
        self._command = list(command)
        self._children: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()
        self._hopeless = 0

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT, which go on to the children; answers the worst of their exit codes."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop, number)
        try:
            async with asyncio.TaskGroup() as group:
                keepers = [group.create_task(self._keep(number)) for number in range(self._count)]
            return self._hopeless or max(keeper.result() for keeper in keepers)
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Start nothing more, and pass the signal on."""
        self._stopping.set()
        for child in self._children:
            if child.returncode is None:  # its keeper may not have seen its end yet
                child.send_signal(number)

    async def _keep(self, number: int) -> int:
        backoff = Backoff(first=0.5, cap=_CAP_S)
        code = 0
        first = True
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_child()
            if self._stopping.is_set():
                break
            lived = time.monotonic() - began
            logger.warning("a worker process ended by itself", child=number, code=code, seconds=round(lived, 1))
            if first and code and lived < HOPELESS_S:
                self._hopeless = code
                self.stop()
                break
            first = False
            if lived > _CAP_S:
                backoff.reset()
            await self._pause(backoff.next())
        return code

    async def _run_child(self) -> int:
        child = await spawn(self._command)
        self._children.add(child)
        if self._stopping.is_set() and child.returncode is None:
            child.terminate()
        try:
            code = await child.wait()
            # Our signal came before it had its handlers: it had not begun anything.
            return 0 if self._stopping.is_set() and -code in SIGNALS else exit_code(code)
        finally:
            self._children.discard(child)
            if child.returncode is None:
                child.terminate()

    async def _pause(self, seconds: float) -> None:
        waiting = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()


def run_processes(count: int, command: Sequence[str]) -> int:
    """Run `count` children of `command` until a signal; answers the exit code. Blocks; for the main thread."""

    async def main() -> int:
        return await Processes(count, command).run()

    return asyncio.run(main())
