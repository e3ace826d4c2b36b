"""The programs of the system, started as a person would start them."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
_UNSET = ("GOOGLE_API_KEY", "OPENAI_API_KEY", "SERPAPI_KEY", "SERPER_KEY", "AI_PROVIDER_CHAIN", "DATABASE_URL")


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without what would change the system, and with `settings`."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | settings


async def started(mark: str, *arguments: str, **settings: str) -> tuple[asyncio.subprocess.Process, str]:
    """`python -m systems.study_notes …` and the line of its stderr that holds `mark`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "systems.study_notes", *arguments,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=environment(**settings), cwd=ROOT,
    )  # fmt: skip
    assert process.stderr is not None
    return process, await asyncio.wait_for(_line_with(mark, process.stderr), 60)


@asynccontextmanager
async def program(mark: str, *arguments: str, **settings: str) -> AsyncIterator[str]:
    """A program that was `started`, given as that line; at the exit it must end well on SIGTERM."""
    process, line = await started(mark, *arguments, **settings)
    assert process.stderr is not None
    reading = asyncio.create_task(_drain(process.stderr))
    try:
        yield line
    finally:
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 30)
        await reading
    assert code == 0


def address_in(line: str) -> str:
    """Where a server listens, by its own word."""
    found = re.search(r"http://\S+", line)
    assert found is not None
    return found.group()


async def _line_with(mark: str, stream: asyncio.StreamReader) -> str:
    seen = ""
    while line := (await stream.readline()).decode():
        if mark in line:
            return line
        seen += line
    raise AssertionError(f"the program ended without saying {mark!r}:\n{seen}")


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass
