"""The programs of study notes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.support import programs
from tests.support.programs import ROOT, address_in, environment

__all__ = ["ROOT", "address_in", "environment", "mortal", "program"]

MODULE = "systems.study_notes"


@asynccontextmanager
async def mortal(mark: str, *arguments: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program that was `started` to be killed; at the exit it is dead in any case."""
    process, _ = await programs.started(MODULE, mark, *arguments, **settings)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def program(mark: str, *arguments: str, **settings: str) -> AbstractAsyncContextManager[str]:
    """See `programs.program`."""
    return programs.program(MODULE, mark, *arguments, **settings)
