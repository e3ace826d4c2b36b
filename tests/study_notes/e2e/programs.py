"""The programs of study notes."""

import asyncio
from contextlib import AbstractAsyncContextManager

from tests.support import programs
from tests.support.programs import ROOT, address_in, environment

__all__ = ["ROOT", "address_in", "environment", "program", "started"]

MODULE = "systems.study_notes"


async def started(mark: str, *arguments: str, **settings: str) -> tuple[asyncio.subprocess.Process, str]:
    """See `programs.started`."""
    return await programs.started(MODULE, mark, *arguments, **settings)


def program(mark: str, *arguments: str, **settings: str) -> AbstractAsyncContextManager[str]:
    """See `programs.program`."""
    return programs.program(MODULE, mark, *arguments, **settings)
