"""Handlers stream: in order, together, refused when late, all of it there when the run has ended."""

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from penstock import Fixed, InvalidJob, JobData, Secret
from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.secret import MASK
from penstock.domain.states import JobState
from penstock.domain.streams import MAX_STREAMS
from penstock.operations import StreamPiece
from tests.worker.working import Note, reached, until, working

ROOT = Path(__file__).parents[2]


class Login(JobData, kind="login"):
    token: Secret[str]


async def texts(engine: Penstock, job_id: str) -> dict[str, str]:
    """What each stream of a job holds."""
    found: dict[str, str] = {}
    async for piece in engine.tail(job_id, follow=False):
        assert piece.offset == len(found.get(piece.stream, ""))
        found[piece.stream] = found.get(piece.stream, "") + piece.text
    return found


async def test_text_is_read_while_the_job_runs(any_engine: Penstock):
    go_on = asyncio.Event()

    async def stream(job: Job[Note]) -> None:
        plan = job.stream("plan")
        plan.write("first ")
        await go_on.wait()
        job.stream("plan").write("second")

    handle = await any_engine.enqueue(Note())
    pieces: list[StreamPiece] = []
    async with working(any_engine, stream), asyncio.timeout(30):
        async for piece in any_engine.tail(handle.id, "plan"):
            pieces.append(piece)
            go_on.set()
    assert pieces == [StreamPiece("plan", 1, 1, 0, "first "), StreamPiece("plan", 1, 1, 6, "second")]


async def test_all_that_was_written_is_there_when_the_job_has_ended(any_engine: Penstock):
    words = [f"{n} " for n in range(1_000)]

    async def stream(job: Job[Note]) -> None:
        for n, word in enumerate(words):
            job.stream("words").write(word)
            if n % 300 == 0:
                await asyncio.sleep(0.1)
        raise ValueError("and then it broke")

    handle = await any_engine.enqueue(Note(), max_attempts=1)
    async with working(any_engine, stream):
        await reached(any_engine, handle.id, JobState.FAILED)
        assert await texts(any_engine, handle.id) == {"words": "".join(words)}


async def test_a_later_attempt_begins_anew_and_readers_are_told(any_engine: Penstock):
    seen: asyncio.Queue[int] = asyncio.Queue()

    async def stream(job: Job[Note]) -> None:
        job.stream("plan").write(f"attempt {job.attempt}")
        assert await seen.get() == job.attempt
        if job.attempt < 3:
            raise ValueError("not yet")

    handle = await any_engine.enqueue(Note(), retry=Fixed(0))
    pieces: list[StreamPiece] = []
    async with working(any_engine, stream), asyncio.timeout(50):
        async for piece in any_engine.tail(handle.id, "plan"):
            pieces.append(piece)
            seen.put_nowait(piece.attempt)
    assert pieces == [
        StreamPiece("plan", 1, 1, 0, "attempt 1"),
        StreamPiece("plan", 2, 2, 0, "attempt 2", restarted=True),
        StreamPiece("plan", 3, 3, 0, "attempt 3", restarted=True),
    ]


async def test_a_run_that_goes_on_after_a_wait_leaves_the_text_of_what_it_remembers(any_engine: Penstock):
    """A step that is remembered streams nothing again: with a stream of its own its text stays."""

    runs = 0

    async def stream(job: Job[Note]) -> None:
        nonlocal runs
        runs += 1

        async def say(what: str) -> str:
            job.stream(what).write(f"{what} of run {runs}")
            return what

        await job.step("outline", say, "outline")
        await job.sleep(0.05)
        await job.step("text", say, "text")

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, stream):
        await reached(any_engine, handle.id, JobState.COMPLETED)
    assert runs == 2
    assert await texts(any_engine, handle.id) == {"outline": "outline of run 1", "text": "text of run 2"}
    assert [one.version for one in await any_engine.jobs.streams(handle.id)] == [1, 1]


async def test_an_end_inside_a_transaction_carries_what_was_streamed(any_engine: Penstock):
    async def stream(job: Job[Note]) -> None:
        for n in range(50):
            job.stream("plan").write(f"{n} ")
        async with job.transaction() as tx:
            tx.complete()
        job.stream("plan").write("too late")

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, stream):
        await reached(any_engine, handle.id, JobState.COMPLETED)
    assert await texts(any_engine, handle.id) == {"plan": "".join(f"{n} " for n in range(50))}


async def test_threads_stream_in_order(any_engine: Penstock):
    seen = threading.Event()

    def stream(job: Job[Note]) -> None:
        for n in range(2_000):
            job.stream("plan").write(f"{n} ")
        seen.wait(20)
        job.stream("plan").write("end")

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, stream), asyncio.timeout(30):
        whole = ""
        async for piece in any_engine.tail(handle.id, "plan"):
            assert piece.offset == len(whole)
            whole += piece.text
            seen.set()
    assert whole == "".join(f"{n} " for n in range(2_000)) + "end"


async def test_a_secret_is_masked_though_it_comes_in_pieces(engine: Penstock):
    secret = "s3cr3t-t0ken"

    async def stream(job: Job[Login]) -> None:
        token = job.data.token.reveal()
        for sign in f"it is {token}, really; s3cr3t-not":
            job.stream("plan").write(sign)
            await asyncio.sleep(0.01)
        job.stream("plan").write(" s3cr3t")
        job.stream("again").write(token[:5])
        job.stream("again").restart()
        job.stream("again").write(token[5:] + token)

    handle = await engine.enqueue(Login(token=Secret(secret)))
    async with working(engine, stream):
        await reached(engine, handle.id, JobState.COMPLETED)
    assert await texts(engine, handle.id) == {
        "plan": f"it is {MASK}, really; s3cr3t-not s3cr3t",
        "again": f"t-t0ken{MASK}",
    }


async def test_wrong_streams_are_refused(engine: Penstock):
    errors: list[Exception] = []

    async def stream(job: Job[Note]) -> None:
        wrong: Any = b"bytes"
        for attempt in (lambda: job.stream(""), lambda: job.stream("a\n"), lambda: job.stream("a").write(wrong)):
            try:
                attempt()
            except (InvalidJob, TypeError) as error:
                errors.append(error)
        for n in range(MAX_STREAMS + 1):
            job.stream(f"{n}").write("x")

    handle = await engine.enqueue(Note(), max_attempts=1)
    async with working(engine, stream):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert [str(error) for error in errors] == [
        "stream must be 1 to 200 printable characters, not ''",
        "stream must be 1 to 200 printable characters, not 'a\\n'",
        "a stream takes text (str), not bytes",
    ]
    assert view.reason is not None
    assert "a run writes at most 1000 streams" in view.reason


async def test_after_a_requested_cancel_nothing_is_added(any_engine: Penstock):
    went_on = asyncio.Event()

    async def stream(job: Job[Note]) -> None:
        job.stream("plan").write("before")
        try:
            await asyncio.Event().wait()
        finally:
            job.stream("plan").write(" after")
            went_on.set()

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, stream):

        async def streamed() -> bool:
            return bool(await texts(any_engine, handle.id))

        await until(streamed)
        await any_engine.cancel(handle.id)
        await went_on.wait()
        await reached(any_engine, handle.id, JobState.CANCELLED)
    assert await texts(any_engine, handle.id) == {"plan": "before"}


CHILD = """
import asyncio, sys
from penstock.app import Penstock
from penstock.context import Job
from penstock.store.postgres import PostgresStore
from penstock.worker import Worker
from tests.worker.working import NO_PROFILE, Note

async def stream(job: Job[Note]) -> None:
    for n in range(100_000):
        job.stream("plan").write(f"{n} ")
        await asyncio.sleep(0.01)

async def main() -> None:
    async with Penstock(sys.argv[1], **NO_PROFILE) as engine:
        await Worker(engine, [stream], lease_s=1, name="child").run()

asyncio.run(main())
"""


async def test_what_a_killed_worker_has_streamed_is_there_until_the_next_attempt_writes(
    any_engine: Penstock, request: pytest.FixtureRequest, sqlite_path: Path
):
    is_sqlite = "sqlite" in request.node.callspec.id
    url = f"sqlite:///{sqlite_path}" if is_sqlite else request.getfixturevalue("postgres_url")
    handle = await any_engine.enqueue(Note())
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, url, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}
    )
    reader = any_engine.tail(handle.id, "plan")
    seen = ""
    async with asyncio.timeout(50):
        while len(seen) < 100:
            piece = await anext(reader)
            assert piece.offset == len(seen)
            seen += piece.text
        process.kill()
        await process.wait()
        [left] = [piece async for piece in any_engine.tail(handle.id, "plan", follow=False)]
        assert left.text.startswith(seen)
        assert left.text == "".join(f"{n} " for n in range(len(left.text)))[: len(left.text)]

        async def again(job: Job[Note]) -> None:
            job.stream("plan").write(f"after {job.losses} loss")

        async with working(any_engine, again, lease_s=1):
            pieces = [piece async for piece in reader]
    assert [(piece.version, piece.text, piece.restarted) for piece in pieces if piece.version > 1] == [
        (2, "after 1 loss", True)
    ]
