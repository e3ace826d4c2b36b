"""Restarting a worker when its code changes, after letting its jobs finish. For development."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from penstock.errors import ConfigurationError
from penstock.worker.logs import get_logger
from penstock.worker.processes import SIGNALS, exit_code, spawn

logger = get_logger(__name__)


class Reloader:
    """Runs a child of `command`; each time something changes it is stopped gracefully and started anew."""

    def __init__(self, command: Sequence[str], changes: AsyncIterator[Sequence[str]]) -> None:
        self._command = list(command)
        self._changes = changes
        self._child: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT; answers the child's exit code.

        A child that ends by itself (a syntax error) is started again at the next change.
        """
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop, number)
        try:
            self._child = await spawn(self._command)
            return await self._watch()
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def _watch(self) -> int:
        while (changed := await self._next_change()) is not None:
            logger.info("code changed; the worker is restarted once its jobs have finished", files=sorted(changed)[:5])
            await self._end_child()
            if self._stopping.is_set():
                break
            self._child = await spawn(self._command)
        return await self._end_child()

    async def _next_change(self) -> Sequence[str] | None:
        """The files that changed, None when the watch is to end."""
        change = asyncio.ensure_future(anext(self._changes, None))
        stop = asyncio.ensure_future(self._stopping.wait())
        done, left = await asyncio.wait([change, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return change.result() if change in done and stop not in done else None

    async def _end_child(self) -> int:
        """Wait for the child's end, which was or is now asked for."""
        child = self._child
        if child is None:
            return 0
        if child.returncode is None and not self._stopping.is_set():
            child.terminate()
        return exit_code(await child.wait())

    def _stop(self, number: int) -> None:
        self._stopping.set()
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.Signals(number))


def run_reloading(command: Sequence[str], paths: Sequence[Path]) -> int:
    """Run `command` and restart it whenever a Python file below `paths` changes; answers its exit code. Blocks.

    Raises ConfigurationError when the optional `watchfiles` is not installed.
    """
    try:
        # An optional extra: only who develops needs it.
        from watchfiles import PythonFilter, awatch  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError("--reload needs watchfiles: pip install 'penstock[reload]'") from None

    async def changed() -> AsyncIterator[Sequence[str]]:
        async for batch in awatch(*paths, watch_filter=PythonFilter()):
            yield [path for _, path in batch]

    async def main() -> int:
        return await Reloader(command, changed()).run()

    return asyncio.run(main())
