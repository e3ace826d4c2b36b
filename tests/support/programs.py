"""The programs of systems, started as a person would start them."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_UNSET = (
    "GOOGLE_API_KEY", "OPENAI_API_KEY", "SERPAPI_KEY", "SERPER_KEY", "YOUTUBE_API_KEY", "STRIPE_API_KEY", "AI_PROVIDER",
    "AI_PROVIDER_CHAIN", "DATABASE_URL", "LEARNING_PLANS_DATABASE_URL", "STUDY_NOTES_DATABASE_URL", "APP_ENV",
)  # fmt: skip


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without what would change the system, and with `settings`."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | settings


async def started(module: str, mark: str, *arguments: str, **settings: str) -> tuple[asyncio.subprocess.Process, str]:
    """`python -m module …` and the line of its stderr that holds `mark`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=environment(**settings), cwd=ROOT,
    )  # fmt: skip
    assert process.stderr is not None
    return process, await asyncio.wait_for(_line_with(mark, process.stderr), 60)


@asynccontextmanager
async def program(module: str, mark: str, *arguments: str, **settings: str) -> AsyncIterator[str]:
    """A program that was `started`, given as that line; at the exit it must end well on SIGTERM."""
    process, line = await started(module, mark, *arguments, **settings)
    reading = drained(process)
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


def drained(process: asyncio.subprocess.Process) -> asyncio.Task[None]:
    """Reads on what a program writes to stderr, so that it is not held up; ends with the program."""
    assert process.stderr is not None
    return asyncio.create_task(_drain(process.stderr))


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass
