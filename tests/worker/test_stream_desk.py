"""What a worker holds of streams until it is written: in order, bounded, however the store behaves."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.app import Penstock
from penstock.context.streams import RunKey, Stream
from penstock.domain.outcomes import Completed
from penstock.domain.secret import MASK
from penstock.domain.streams import MAX_CHARS, StreamWrite
from penstock.errors import StoreUnavailable
from penstock.store.program import Program
from penstock.worker.outage import Outage
from penstock.worker.redaction import PieceMask, Redactor, Secrets
from penstock.worker.streams import CHUNK, STATEMENT_CHARS, STATEMENT_ROWS, StreamDesk, batches
from tests.support.engine import HandWorker, Work, run_of
from tests.worker.working import until

RUN = RunKey("1", 1, 1)


class Moody:
    """Makes a store fail: `away` before anything is written, `deaf` times after it was (its answer is lost)."""

    def __init__(self, engine: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away = False
        self.deaf = 0
        self.statements = 0
        self._run = engine.store.run
        monkeypatch.setattr(engine.store, "run", self.run)

    async def run(self, program: Program[Any], *, durable: bool = True) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        answer = await self._run(program, durable=durable)
        self.statements += 1
        if self.deaf:
            self.deaf -= 1
            raise StoreUnavailable("the answer was lost")
        return answer


@pytest.fixture
def moody(engine: Penstock, monkeypatch: pytest.MonkeyPatch) -> Moody:
    return Moody(engine, monkeypatch)


@pytest.fixture
async def worker(engine: Penstock) -> HandWorker:
    return await HandWorker.register(engine.store)


@pytest.fixture
async def desk(engine: Penstock) -> AsyncIterator[StreamDesk]:
    failures: list[object] = []
    desk = StreamDesk(engine.store, Redactor(), Outage("w"), lambda name, error: failures.append(error))
    await desk.start()
    yield desk
    await desk.stop()
    assert failures == []


def whole(engine: Penstock, job_id: str) -> str:
    """What is in the store of the stream `plan`; without a gap."""
    text = ""
    for piece in engine.sync.tail(job_id, "plan"):
        assert piece.offset == len(text)
        text += piece.text
    return text


async def test_streams_of_many_runs_are_one_statement(
    engine: Penstock, worker: HandWorker, desk: StreamDesk, moody: Moody
):
    await engine.enqueue_many([Work(n=n) for n in range(100)])
    runs = [run_of(job) for job in await worker.claim()]
    before = moody.statements
    for run in runs:
        stream = desk.open(run, "plan")
        for n in range(20):
            stream.write(f"{n} ")
    await until(lambda: all(whole(engine, run.id) for run in runs))
    assert moody.statements - before == 1


@pytest.mark.parametrize("seed", range(5))
async def test_order_holds_while_the_store_goes_and_comes(
    engine: Penstock, worker: HandWorker, desk: StreamDesk, moody: Moody, seed: int
):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    stream = desk.open(run_of(job), "plan")
    dice, text = random.Random(seed), ""
    for n in range(60):
        moody.away = dice.random() < 0.4
        moody.deaf = dice.choice([0, 0, 1])
        stream.write(f"{n} ")
        text += f"{n} "
        await asyncio.sleep(dice.choice([0, 0.01, 0.03]))
    moody.away, moody.deaf = True, 0
    stream.write("end")
    text += "end"
    ahead = desk.ahead_of([worker.end_of(job, Completed())])
    assert ahead is not None
    moody.away = False
    await ahead
    assert whole(engine, job.id) == text
    assert desk.ahead_of([worker.end_of(job, Completed())]) is None


async def test_text_that_is_longer_than_a_row_is_parted_alike_when_it_is_written_again(
    engine: Penstock, worker: HandWorker, desk: StreamDesk, moody: Moody
):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    stream = desk.open(run_of(job), "plan")
    text = "".join(f"{n} " for n in range(40_000))
    moody.deaf = 2
    stream.write(text[:100_000])
    await until(lambda: moody.deaf < 2)
    stream.write(text[100_000:])
    await until(lambda: len(whole(engine, job.id)) == len(text))
    assert whole(engine, job.id) == text


async def test_a_stream_is_cut_at_its_limit_and_begins_anew_uncut(
    engine: Penstock, worker: HandWorker, desk: StreamDesk
):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    stream = desk.open(run_of(job), "plan")
    for _ in range(30):
        stream.write("x" * 50_000)
    await until(lambda: len(whole(engine, job.id)) == MAX_CHARS)
    [piece] = engine.sync.tail(job.id, "plan")
    assert piece.cut
    stream.write("nothing of this")
    stream.restart()
    stream.write("short")
    await until(lambda: whole(engine, job.id) == "short")
    [piece] = engine.sync.tail(job.id, "plan", offset=MAX_CHARS, version=1)
    assert (piece.version, piece.restarted, piece.cut) == (2, True, False)


async def test_what_the_store_refuses_is_dropped_and_no_more_is_kept(
    engine: Penstock, worker: HandWorker, desk: StreamDesk
):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    stream = desk.open(run_of(job), "plan")
    await worker.release(job)
    stream.write("late")
    await until(lambda: stream.unwritten() is None)
    stream.write("later")
    assert stream.unwritten() is None
    assert whole(engine, job.id) == ""


def test_a_stream_keeps_what_is_not_known_to_be_written():
    told: list[Stream] = []
    stream = Stream(RUN, "plan", told.append, lambda: None)
    stream.write("")
    assert told == []
    stream.write("abc")
    stream.write("def")
    assert told == [stream], "it is told once until somebody looks"
    first = stream.unwritten()
    assert first == StreamWrite("1", 1, 1, "plan", 0, 0, "abcdef")
    stream.write("g")
    assert len(told) == 2
    assert stream.unwritten() == StreamWrite("1", 1, 1, "plan", 0, 0, "abcdefg")
    stream.written(first)
    assert stream.unwritten() == StreamWrite("1", 1, 1, "plan", 0, 6, "g")
    stream.restart()
    stream.restart()
    assert stream.unwritten() == StreamWrite("1", 1, 1, "plan", 0, 6, "g"), "the old text stays until there is new"
    stream.write("anew")
    stream.written(StreamWrite("1", 1, 1, "plan", 0, 6, "g"))
    assert stream.unwritten() == StreamWrite("1", 1, 1, "plan", 1, 0, "anew")


def test_batches_are_bounded_and_keep_the_order_of_each_stream():
    long = "".join(chr(97 + n % 26) for n in range(CHUNK * 20 + 5))
    writes = [StreamWrite(f"{n}", 1, 1, "plan", 0, n, long if n % 300 == 0 else "x") for n in range(900)]
    made = list(batches(writes))
    found: dict[str, str] = {}
    for batch in made:
        assert len(batch) <= STATEMENT_ROWS
        assert sum(len(one.text) for one in batch) < STATEMENT_CHARS + CHUNK
        assert len({one.job_id for one in batch}) == len(batch)
        for one in batch:
            assert one.start == int(one.job_id) + len(found.get(one.job_id, ""))
            found[one.job_id] = found.get(one.job_id, "") + one.text
    assert found == {write.job_id: write.text for write in writes}


SECRETS = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=4, unique=True)


@given(secrets=SECRETS, pieces=st.lists(st.text("abc", max_size=6), max_size=12))
def test_pieces_are_masked_as_the_whole_text_would_be(secrets: list[str], pieces: list[str]):
    redactor = Redactor()
    redactor.remember("1", 1, secrets)
    known = redactor.of("1", 1)
    assert known is not None
    mask = PieceMask(known)
    out = "".join(mask.feed(piece) for piece in pieces) + mask.rest()
    assert out == redactor.clean("1", 1, "".join(pieces))


def test_what_cannot_be_a_secret_is_not_held_back():
    mask = PieceMask(Secrets(["secret"]))
    assert [mask.feed(piece) for piece in ("no", "thing s", "o ", "se", "cret", "s")] == [
        "no", "thing ", "so ", "", MASK, "",
    ]  # fmt: skip
    assert mask.rest() == "s"


def test_no_more_is_held_back_than_a_secret_is_long():
    mask = PieceMask(Secrets(["aaa", "aab"]))
    out = [mask.feed("aa") for _ in range(1_000)]
    assert sum(len(piece.replace(MASK, "aaa")) for piece in out) >= 1_998
