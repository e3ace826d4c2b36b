"""What a driver is: a program in the environment of its engine that does what the runner says, one JSON line each way.

Only the standard library, since it runs in every rival's environment. Times are seconds of the monotonic clock, which
all processes of a machine share. Commands (`do`) and their answers:

    open                        connect
    prepare                     make the tables of a fresh store
    enqueue  how, jobs          jobs 0 to `jobs` - 1; how: one by one, tasks (50 at once), bulk (1,000 a call)
                                -> seconds
    pace     jobs               singles, 20 to 50 ms apart at random -> asked: when each was about to be enqueued
    work                        start a worker in this process
    ran                         -> ran: how many handlers have begun here
    remaining                   -> remaining: jobs that the store does not yet say are finished
    stop                        stop the worker -> runs: [job, when its handler began], in that order

An answer has `error` when something went wrong. The end of the input ends the driver.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

TASKS = 50
BULK = 1_000
PAUSE_S = (0.02, 0.05)
TEXT = "x" * 80


def payload(n: int) -> dict[str, Any]:
    """About 100 bytes of JSON."""
    return {"n": n, "text": TEXT}


class Runs:
    """Which job's handler began when. Every handler calls it first; threads may share one."""

    def __init__(self) -> None:
        self.all: list[tuple[int, float]] = []

    def __call__(self, n: int) -> None:
        self.all.append((n, time.monotonic()))


class Driver:
    """One engine on the store at `url`. `settings` are those of its target."""

    def __init__(self, url: str, settings: dict[str, Any], runs: Runs) -> None:
        self.url = url
        self.settings = settings
        self.runs = runs

    async def open(self) -> None:
        """Connect to the store, which in the first process has no tables yet."""

    async def prepare(self) -> None:
        """Make the tables of a fresh store."""

    async def enqueue(self, n: int) -> None:
        """Enqueue one job."""
        raise NotImplementedError

    async def enqueue_bulk(self, numbers: range) -> None:
        """Enqueue many in one call; one after the other where the engine has no such call."""
        for n in numbers:
            await self.enqueue(n)

    async def enqueue_at_once(self, jobs: int) -> None:
        """Enqueue one by one from TASKS tasks."""
        numbers = iter(range(jobs))

        async def producer() -> None:
            for n in numbers:
                await self.enqueue(n)

        await asyncio.gather(*[producer() for _ in range(TASKS)])

    async def start(self) -> None:
        """Start a worker in this process."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stop it."""
        raise NotImplementedError

    async def remaining(self, jobs: int) -> int:
        """How many of so many jobs the store does not yet say are finished."""
        raise NotImplementedError


async def _enqueue(driver: Driver, command: dict[str, Any]) -> dict[str, Any]:
    jobs, how = command["jobs"], command["how"]
    began = time.monotonic()
    if how == "bulk":
        for first in range(0, jobs, BULK):
            await driver.enqueue_bulk(range(first, min(first + BULK, jobs)))
    elif how == "tasks":
        await driver.enqueue_at_once(jobs)
    else:
        for n in range(jobs):
            await driver.enqueue(n)
    return {"seconds": time.monotonic() - began}


async def _pace(driver: Driver, jobs: int) -> dict[str, Any]:
    asked = []
    for n in range(jobs):
        await asyncio.sleep(random.uniform(*PAUSE_S))  # noqa: S311 - no secret
        asked.append(time.monotonic())
        await driver.enqueue(n)
    return {"asked": asked}


async def _do(driver: Driver, command: dict[str, Any]) -> dict[str, Any]:
    match command["do"]:
        case "open":
            await driver.open()
        case "prepare":
            await driver.prepare()
        case "enqueue":
            return await _enqueue(driver, command)
        case "pace":
            return await _pace(driver, command["jobs"])
        case "work":
            await driver.start()
        case "ran":
            return {"ran": len(driver.runs.all)}
        case "remaining":
            return {"remaining": await driver.remaining(command["jobs"])}
        case "stop":
            await driver.stop()
            return {"runs": driver.runs.all}
    return {}


async def _serve(make: Callable[[str, dict[str, Any], Runs], Driver], output: int) -> None:
    driver = make(sys.argv[1], json.loads(sys.argv[2]), Runs())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer = await _do(driver, json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever a rival raises is told to the runner
            answer = {"error": f"{type(error).__name__}: {error}"}
        rest = json.dumps(answer).encode() + b"\n"
        while rest:
            rest = rest[os.write(output, rest) :]


def serve(make: Callable[[str, dict[str, Any], Runs], Driver]) -> None:
    """Be the driver that `make` makes, on the URL and settings of the command line, until the input ends.

    With uvloop where it is installed. What the engine prints goes to standard error. The process then ends at once:
    a rival's threads and connections do not hold it up.
    """
    output = os.dup(1)
    os.dup2(2, 1)
    try:
        # An extra of the engines, not of this module.
        import uvloop  # noqa: PLC0415

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    except ImportError:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(make, output))
        os._exit(0)
