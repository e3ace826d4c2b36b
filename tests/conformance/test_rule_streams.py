"""Streams: fenced, in order, read from any offset; a later run's text takes the place of an earlier one's."""

import asyncio
import random
from typing import Any

import pytest

from penstock import InvalidJob, NotFound, Penstock, Queue, Retention
from penstock.domain.claimed import ClaimedJob
from penstock.domain.steps import Step
from penstock.operations import StreamPiece, StreamReader
from penstock.store.base import Store
from penstock.store.program import Program, Steps, Topic, Wake, program
from penstock.store.programs.change import put_queue
from penstock.store.programs.steps import StepWrite, write_steps
from penstock.store.programs.streams import write_streams
from penstock.store.programs.upkeep import prune
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.conformance.ears import Ear
from tests.conformance.streaming import read, text_now, text_of, write
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

UNKNOWN = "019a6b2c-41d7-7c00-8a00-000000000000"


@pytest.fixture
async def job(engine: Penstock, worker: HandWorker) -> ClaimedJob:
    """A run."""
    await engine.enqueue(Work())
    return await worker.claim_one()


async def next_run(worker: HandWorker, job: ClaimedJob) -> ClaimedJob:
    """The run after this one, which was given back."""
    await worker.release(job)
    return await worker.claim_one()


async def length_and_version(engine: Penstock, job: ClaimedJob) -> tuple[int, int]:
    """How the job's one stream stands."""
    [one] = await engine.jobs.streams(job.id)
    return one.length, one.version


async def test_text_is_read_in_order_from_any_offset(store: Store, job: ClaimedJob):
    text = "Zoë \u2028🐟 swims; \t\n\\ '\"{} \u0301e"
    at = 0
    for piece in (text[:1], text[1:7], text[7:8], text[8:]):
        assert await write(store, text_of(job, piece, at)) == [True]
        at += len(piece)
    for offset in range(len(text) + 1):
        found = await read(store, StreamReader(job.id, "plan", offset=offset))
        assert "".join(piece.text for piece in found) == text[offset:]
        assert [(piece.version, piece.offset) for piece in found] == ([(1, offset)] if offset < len(text) else [])
    assert await read(store, StreamReader(job.id, "plan", offset=len(text) + 5)) == []


async def test_a_reader_gets_each_text_once(store: Store, job: ClaimedJob):
    reader = StreamReader(job.id)
    assert await read(store, reader) == []
    await write(store, text_of(job, "one "), text_of(job, "a", name="notes"))
    assert [(piece.stream, piece.text) for piece in await read(store, reader)] == [("notes", "a"), ("plan", "one ")]
    await write(store, text_of(job, "two", 4))
    assert await read(store, reader) == [StreamPiece("plan", 1, 1, 4, "two")]
    assert await read(store, reader) == []
    assert not reader.has_ended


async def test_a_late_run_writes_nothing(engine: Penstock, store: Store, worker: HandWorker, job: ClaimedJob):
    await write(store, text_of(job, "early"))
    current = await next_run(worker, job)
    assert job.attempts_before == current.attempts_before
    assert await write(store, text_of(job, " late", 5)) == [False]
    assert await text_now(store, job.id) == "early", "it stays until the next run writes"
    assert await length_and_version(engine, job) == (5, 1)
    assert await write(store, text_of(job, "late", 0), text_of(current, "mine")) == [False, True]
    assert await write(store, text_of(job, " late", 5)) == [False]
    assert await text_now(store, job.id) == "mine"
    await worker.complete(current)
    assert await write(store, text_of(current, " more", 4), text_of(job, "late", part=1)) == [False, False]
    assert await text_now(store, job.id) == "mine"
    assert await length_and_version(engine, job) == (4, 2)


async def test_nothing_is_written_after_a_requested_cancel(engine: Penstock, store: Store, job: ClaimedJob):
    await write(store, text_of(job, "before"))
    await engine.cancel(job.id)
    assert await write(store, text_of(job, " after", 6)) == [False]
    assert await write(store, text_of(job, "anew", part=1)) == [False]
    assert await text_now(store, job.id) == "before"
    assert await length_and_version(engine, job) == (6, 1)


async def test_the_text_of_a_later_run_replaces_the_old_and_readers_are_told(
    store: Store, worker: HandWorker, job: ClaimedJob
):
    reader = StreamReader(job.id, "plan")
    await write(store, text_of(job, "a long first try"))
    await read(store, reader)
    again = await next_run(worker, job)
    assert await read(store, reader) == [], "a run that has not written has begun nothing"
    await write(store, text_of(again, "second"))
    await write(store, text_of(again, " try", 6))
    assert await read(store, reader) == [StreamPiece("plan", 2, 1, 0, "second try", restarted=True)]
    await write(store, text_of(again, "!", 10))
    assert await read(store, reader) == [StreamPiece("plan", 2, 1, 10, "!")]


async def test_a_run_may_begin_anew(store: Store, job: ClaimedJob):
    reader = StreamReader(job.id, "plan")
    await write(store, text_of(job, "first provider"))
    await read(store, reader)
    await write(store, text_of(job, "second", part=1))
    assert await write(store, text_of(job, " provider", 14)) == [True], "an old part is no text of the new one"
    assert await read(store, reader) == [StreamPiece("plan", 2, 1, 0, "second", restarted=True)]


@pytest.mark.parametrize("offset", [0, 3, 100])
async def test_a_reader_who_comes_back_to_another_version_begins_at_its_beginning(
    store: Store, worker: HandWorker, job: ClaimedJob, offset: int
):
    await write(store, text_of(job, "old text"))
    again = await next_run(worker, job)
    await write(store, text_of(again, "new text"))
    back = StreamReader(job.id, "plan", offset=offset, version=1)
    assert await read(store, back) == [StreamPiece("plan", 2, 1, 0, "new text", restarted=True)]
    same = StreamReader(job.id, "plan", offset=4, version=2)
    assert await read(store, same) == [StreamPiece("plan", 2, 1, 4, "text")]


async def test_what_is_written_again_is_there_once(store: Store, job: ClaimedJob):
    reader = StreamReader(job.id, "plan")
    await write(store, text_of(job, "abc"))
    await write(store, text_of(job, "abc"))
    await write(store, text_of(job, "abcdef"))
    assert [piece.text for piece in await read(store, reader)] == ["abcdef"]
    await write(store, text_of(job, "ghi", 6))
    await write(store, text_of(job, "ghijk", 6))
    await write(store, text_of(job, "ghi", 6))
    assert [piece.text for piece in await read(store, reader)] == ["ghijk"]
    assert await text_now(store, job.id) == "abcdefghijk"
    await write(store, text_of(job, "abcdefghi"))
    assert await text_now(store, job.id) == "abcdefghijk"


async def test_a_gap_is_told_by_the_offset(store: Store, job: ClaimedJob):
    await write(store, text_of(job, "ab"))
    await write(store, text_of(job, "ef", 4))
    found = await read(store, StreamReader(job.id, "plan"))
    assert [(piece.offset, piece.text) for piece in found] == [(0, "ab"), (4, "ef")]


async def test_readers_are_told_that_a_stream_is_full(store: Store, job: ClaimedJob):
    reader = StreamReader(job.id, "plan")
    await write(store, text_of(job, "all of it"))
    await read(store, reader)
    await write(store, text_of(job, "", 9, cut=True))
    assert await read(store, reader) == [StreamPiece("plan", 1, 1, 9, "", cut=True)]
    assert await read(store, reader) == []
    [piece] = await read(store, StreamReader(job.id, "plan"))
    assert (piece.text, piece.cut) == ("all of it", True)
    await write(store, text_of(job, "shorter", part=1))
    assert await read(store, reader) == [StreamPiece("plan", 2, 1, 0, "shorter", restarted=True)]


async def test_writers_at_once_do_not_mix(engine: Penstock, make_store: MakeStore):
    """Several processes, each with runs of its own, and readers beside them who never see a text out of order."""
    stores = [await make_store() for _ in range(3)]
    workers = [await HandWorker.register(store, f"w{n}") for n, store in enumerate(stores)]
    await engine.enqueue_many([Work(n=n) for n in range(12)])
    runs = [await worker.claim(4) for worker in workers]
    texts = {job.id: "".join(f"{job.id[-4:]}-{n} " for n in range(20)) for jobs in runs for job in jobs}
    dice = random.Random(7)

    async def stream(store: Store, jobs: list[ClaimedJob]) -> None:
        at = dict.fromkeys((job.id for job in jobs), 0)
        while left := [job for job in jobs if at[job.id] < len(texts[job.id])]:
            some = dice.sample(left, dice.randint(1, len(left)))
            sizes = {job.id: dice.randint(1, 9) for job in some}
            writes = [text_of(job, texts[job.id][at[job.id] :][: sizes[job.id]], at[job.id]) for job in some]
            assert all(await write(store, *writes))
            at.update({one.job_id: one.end for one in writes})

    async def follow(job_id: str) -> None:
        reader, seen = StreamReader(job_id, "plan"), ""
        while seen != texts[job_id]:
            for piece in await read(engine.store, reader):
                assert piece.offset == len(seen)
                seen += piece.text
            assert texts[job_id].startswith(seen)
            await asyncio.sleep(0)

    writing = [stream(store, jobs) for store, jobs in zip(stores, runs, strict=True)]
    await asyncio.gather(*writing, *(follow(job_id) for job_id in texts))


async def test_a_late_run_and_the_current_one_at_once_leave_one_text(engine: Penstock, make_store: MakeStore):
    stores = [await make_store() for _ in range(2)]
    worker = await HandWorker.register(stores[0])
    await engine.enqueue_many([Work(n=n) for n in range(20)])
    late = await worker.claim(20)
    for job in late:
        await write(stores[0], text_of(job, "late "))
        await worker.release(job)
    current = {job.id: job for job in await worker.claim(20)}
    await asyncio.gather(
        *(write(stores[0], text_of(job, "late again ", 5)) for job in late),
        *(write(stores[1], text_of(job, "mine")) for job in current.values()),
    )
    for job_id in current:
        [piece] = await read(engine.store, StreamReader(job_id, "plan"))
        assert (piece.version, piece.text) == (2, "mine")


async def test_an_end_and_a_write_at_once_agree(engine: Penstock, make_store: MakeStore):
    other = await make_store()
    worker = await HandWorker.register(engine.store)
    await engine.enqueue_many([Work(n=n) for n in range(40)])
    jobs = await worker.claim()
    taken, _ = await asyncio.gather(
        asyncio.gather(*(write(other, text_of(job, "text")) for job in jobs)),
        asyncio.gather(*(worker.complete(job) for job in jobs)),
    )
    for job, [was_taken] in zip(jobs, taken, strict=True):
        assert await text_now(engine.store, job.id) == ("text" if was_taken else "")


async def test_readers_elsewhere_are_woken(ear: Ear, store: Store, job: ClaimedJob):
    await write(store, text_of(job, "hello"))
    await ear.hears(Topic.stream(job.id))
    assert await write(store, text_of(job, "hello")._replace(claim_id=1)) == [False]
    assert Topic.stream(job.id) not in ear.heard()


async def test_a_tail_ends_with_its_job(engine: Penstock, make_store: MakeStore, worker: HandWorker, job: ClaimedJob):
    """The reader is in another process; it reads while the text comes, and stops when the job has ended."""
    there = Penstock(store=await make_store())
    pieces: list[StreamPiece] = []
    came = asyncio.Event()

    async def follow() -> None:
        async for piece in there.tail(job.id, "plan"):
            pieces.append(piece)
            came.set()

    async with asyncio.timeout(30):
        following = asyncio.create_task(follow())
        for text, at in (("one ", 0), ("two ", 4), ("three", 8)):
            await write(engine.store, text_of(job, text, at))
            await came.wait()
            came.clear()
        assert not following.done()
        await worker.complete(job)
        await following
    assert [piece.text for piece in pieces] == ["one ", "two ", "three"]


@program
def unheard(inner: Program[Any]) -> Steps[Any]:
    """A program whose wake-ups are lost."""
    steps = iter(inner)
    answer = None
    while True:
        try:
            operation = steps.send(answer)
        except StopIteration as end:
            return end.value
        answer = None if isinstance(operation, Wake) else (yield operation)


async def test_a_reader_whom_nobody_wakes_reads_all_the_same(engine: Penstock, store: Store, job: ClaimedJob):
    async with asyncio.timeout(30):
        reader = engine.tail(job.id, "plan")
        for at, text in enumerate("abc"):
            await store.run(unheard(write_streams([text_of(job, text, at)], store.clock.now())))
            assert (await anext(reader)).text == text


async def test_a_copy_of_a_job_has_streams_of_its_own(engine: Penstock, store: Store, job: ClaimedJob):
    await write(store, text_of(job, "text"))
    await store.run(write_steps([StepWrite(job.id, job.claim_id, 1, Step("outline", b"1"), 1)], 2))
    copy = await engine.jobs.rerun(job.id, from_step="outline")
    assert await engine.jobs.streams(copy) == []
    assert await text_now(store, job.id) == "text"


async def test_what_is_there_is_read_without_waiting(engine: Penstock, store: Store, job: ClaimedJob):
    await write(store, text_of(job, "so far"))
    found = [piece async for piece in engine.tail(job.id, follow=False)]
    assert [piece.text for piece in found] == ["so far"]
    assert found == await asyncio.to_thread(engine.sync.tail, job.id)
    assert [(one.name, one.version, one.length) for one in await engine.jobs.streams(job.id)] == [("plan", 1, 6)]


async def test_wrong_questions_are_refused(engine: Penstock, job: ClaimedJob):
    with pytest.raises(NotFound, match="no job"):
        await anext(engine.tail(UNKNOWN))
    with pytest.raises(NotFound, match="no job"):
        engine.sync.tail(UNKNOWN)
    with pytest.raises(InvalidJob, match="offset must be"):
        engine.tail(job.id, "plan", offset=-1)
    with pytest.raises(InvalidJob, match="version must be"):
        engine.tail(job.id, "plan", version=0)
    with pytest.raises(InvalidJob, match="of one stream"):
        engine.tail(job.id, offset=3)
    with pytest.raises(InvalidJob, match="stream must be 1 to 200"):
        engine.tail(job.id, "")
    assert await engine.jobs.streams(UNKNOWN) == []


async def test_what_no_database_takes_is_replaced(store: Store, job: ClaimedJob):
    assert await write(store, text_of(job, "a\x00b\ud800c")) == [True]
    assert await text_now(store, job.id) == "a�b?c"


async def test_streams_go_with_their_job(
    store: Store, worker: HandWorker, job: ClaimedJob, clock: MovableClock, database: Database
):
    await write(store, text_of(job, "text"), text_of(job, "more", name="notes"))
    await worker.complete(job)
    clock.advance(8 * 86_400)
    assert await store.run(prune(clock.now())) == 1
    assert database.select("SELECT count(*) FROM ~streams") == [(0,)]
    assert database.select("SELECT count(*) FROM ~stream_chunks") == [(0,)]


async def test_an_old_version_leaves_nothing_behind(
    store: Store, worker: HandWorker, job: ClaimedJob, database: Database
):
    for n in range(3):
        await write(store, text_of(job, f"chunk {n}", n * 7))
    again = await next_run(worker, job)
    await write(store, text_of(again, "new"))
    assert database.select("SELECT version, start, text FROM ~stream_chunks") == [(2, 0, "new")]


async def test_streams_count_against_the_bytes_that_a_queue_keeps(
    engine: Penstock, store: Store, worker: HandWorker, clock: MovableClock
):
    kept = Retention(completed=None, failed=None, cancelled=None, max_bytes=1_000)
    await store.run(put_queue("default", Queue(retention=kept)))
    for n in range(2):
        await engine.enqueue(Work(n=n))
        job = await worker.claim_one()
        await write(store, text_of(job, "x" * 600))
        await worker.complete(job)
        clock.advance(1)
    assert await store.run(prune(clock.now())) == 1
    [left] = await engine.jobs.list()
    assert left.id == job.id


async def test_a_retried_job_keeps_its_text_until_it_writes_again(
    engine: Penstock, store: Store, worker: HandWorker, job: ClaimedJob
):
    await write(store, text_of(job, "before it broke"))
    await worker.fail(job)
    await engine.jobs.retry(job.id)
    reader = StreamReader(job.id, "plan")
    assert [piece.text for piece in await read(store, reader)] == ["before it broke"]
    again = await worker.claim_one()
    await write(store, text_of(again, "it works"))
    assert await read(store, reader) == [StreamPiece("plan", 2, 1, 0, "it works", restarted=True)]
