"""`penstock.testing`: what it promises to the tests of applications."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.job import JobData
from penstock.domain.queue import Queue
from penstock.domain.secret import Secret
from penstock.domain.signals import Cancel, Permanent, Snooze
from penstock.domain.states import JobState
from penstock.errors import ConfigurationError
from penstock.sealing import new_key
from penstock.store.sqlite import SqliteStore
from penstock.testing import (
    MovableClock,
    assert_enqueued,
    assert_not_enqueued,
    enqueued,
    run_inline,
    run_until_idle,
    temporary_engine,
)


class Mail(JobData, kind="mail", queue="mail"):
    to: str
    at: datetime | None = None


class Follow(JobData, kind="follow", queue="follow"):
    to: str


class Login(JobData, kind="login", max_attempts=2):
    user: str
    password: Secret[str]


class MailHandler:
    """Sends after so many failures, and enqueues what follows a day later."""

    handles = Mail

    def __init__(self, failures: int = 0) -> None:
        self.sent: list[str] = []
        self.failures = failures

    async def process_job(self, job: Job[Mail]) -> str:
        if job.attempt <= self.failures:
            raise ConnectionError(f"attempt {job.attempt}")
        self.sent.append(job.data.to)
        await job.enqueue(Follow(to=job.data.to), delay=timedelta(days=1))
        return job.data.to


def follow(job: Job[Follow]) -> str:
    return job.data.to.upper()


@pytest.fixture
async def engine() -> AsyncIterator[Penstock]:
    async with temporary_engine(clock=MovableClock(datetime(2026, 1, 1, tzinfo=UTC))) as engine:
        yield engine


def test_a_movable_clock_stands_still_until_it_is_moved() -> None:
    clock = MovableClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == 1_767_225_600_000_000
    clock.move(timedelta(hours=1))
    clock.move(-0.5)
    assert clock.moment == datetime(2026, 1, 1, 0, 59, 59, 500_000, tzinfo=UTC)
    assert clock.move_to(datetime(2027, 1, 1, tzinfo=UTC)) == clock.now() == 1_798_761_600_000_000


async def test_it_runs_what_jobs_enqueue_and_moves_on_to_what_is_due_later(engine: Penstock) -> None:
    handler = MailHandler()
    await engine.enqueue(Mail(to="ada"), delay=timedelta(hours=2))
    stats = await run_until_idle(engine, [handler, follow])
    assert (handler.sent, stats.completed) == (["ada"], 2)
    clock = engine.store.clock
    assert isinstance(clock, MovableClock)
    assert clock.moment == datetime(2026, 1, 2, 2, tzinfo=UTC)


async def test_it_runs_retries(engine: Penstock) -> None:
    handler = MailHandler(failures=2)
    handle = await engine.enqueue(Mail(to="ada"))
    stats = await run_until_idle(engine, [handler, follow])
    assert (await handle.result(), stats.retried, stats.failed) == ("ada", 2, 0)


async def test_without_advance_what_is_due_later_waits(engine: Penstock) -> None:
    handler = MailHandler()
    await engine.enqueue(Mail(to="ada"), delay=timedelta(hours=2))
    await run_until_idle(engine, [handler], advance=False)
    assert handler.sent == []


async def test_with_a_real_clock_what_is_due_later_waits() -> None:
    async with temporary_engine() as engine:
        handler = MailHandler()
        await engine.enqueue_many([Mail(to="ada"), Mail(to="bob")])
        await engine.enqueue(Mail(to="later"), delay=3600)
        await run_until_idle(engine, [handler])
        assert handler.sent == ["ada", "bob"]


async def test_jobs_it_cannot_run_stay_where_they_are(engine: Penstock) -> None:
    other, paused = await engine.enqueue(Follow(to="x")), await engine.enqueue(Mail(to="ada"))
    await engine.queues.pause("mail")
    stats = await run_until_idle(engine, [MailHandler()], queues={"mail": Queue()})
    assert stats.started == 0
    assert [(await engine.get(job.id)).state for job in (other, paused)] == ["ready", "ready"]


async def test_jobs_that_never_end_are_named_when_the_time_is_over(engine: Penstock) -> None:
    async def never(job: Job[Follow]) -> None:
        await job.enqueue(Follow(to=job.data.to))

    await engine.enqueue(Follow(to="x"))
    with pytest.raises(TimeoutError, match=r"not idle after 0\.5 s: "):
        await run_until_idle(engine, [never], timeout_s=0.5)


async def test_a_clock_that_is_not_the_stores_is_refused(engine: Penstock) -> None:
    with pytest.raises(ConfigurationError, match="clock= must be the clock that the engine's store was made with"):
        await run_until_idle(engine, [MailHandler()], clock=MovableClock())


async def test_it_runs_until_idle_on_postgres(postgres_url: str) -> None:
    store = Penstock(postgres_url).store
    await store.migrate()
    async with Penstock(postgres_url) as engine:
        handle = await engine.enqueue(Mail(to="ada"))
        await run_until_idle(engine, [MailHandler()])
        assert await handle.result() == "ada"
        assert_enqueued(engine, Follow, to="ada")


async def test_enqueued_jobs_are_listed_oldest_first_whatever_became_of_them(engine: Penstock) -> None:
    await engine.enqueue(Mail(to="ada"), tags=["a"], tenant="acme", unique="ada", priority="high")
    await run_until_idle(engine, [MailHandler()], advance=False)
    await engine.enqueue(Mail(to="bob"))
    first, second = enqueued(engine, Mail)
    assert (first.data["to"], first.state, first.tags, first.tenant) == ("ada", JobState.COMPLETED, ("a",), "acme")
    assert (first.unique_key, first.priority) == ("ada", 10)
    assert (second.data["to"], second.state) == ("bob", JobState.READY)
    assert [job.kind for job in enqueued(engine)] == ["mail", "follow", "mail"]
    assert [job.due_at for job in enqueued(engine, "follow")] == [datetime(2026, 1, 2, tzinfo=UTC)]


async def test_more_jobs_than_a_page_are_all_listed(engine: Penstock) -> None:
    await engine.enqueue_many([Mail(to=str(n)) for n in range(1_203)])
    assert [job.data["to"] for job in enqueued(engine, Mail)] == [str(n) for n in range(1_203)]


async def test_assertions_compare_the_fields_that_are_given(engine: Penstock) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    handle = await engine.enqueue(Mail(to="ada", at=at))
    assert assert_enqueued(engine, Mail, at=at).id == handle.id
    assert assert_enqueued(engine, "mail", to="ada").id == handle.id
    assert_not_enqueued(engine, Mail, to="bob")
    assert_not_enqueued(engine, Follow)
    with pytest.raises(AssertionError, match=r"no mail with \{'to': 'bob'\} was enqueued; there are:\n  mail .*'ada'"):
        assert_enqueued(engine, Mail, to="bob")
    with pytest.raises(AssertionError, match=f"mail {handle.id} was enqueued with"):
        assert_not_enqueued(engine, Mail)


async def test_assertions_refuse_what_cannot_be_compared(engine: Penstock) -> None:
    with pytest.raises(TypeError, match="mail has no field 'too'; it has to, at"):
        assert_not_enqueued(engine, Mail, too="ada")
    with pytest.raises(TypeError, match="field 'password' is a Secret"):
        assert_enqueued(engine, Login, password=Secret("x"))


async def test_inline_answers_what_the_handler_returns(engine: Penstock) -> None:
    await engine.enqueue(Follow(to="before"))
    assert await run_inline(engine, [follow, MailHandler()], Follow(to="ada")) == "ADA"
    assert [(job.data["to"], job.state) for job in enqueued(engine, Follow)] == [
        ("before", JobState.READY),
        ("ada", JobState.COMPLETED),
    ]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("no"), JobState.FAILED),
        (Permanent("no"), JobState.FAILED),
        (Cancel("no"), JobState.CANCELLED),
        (Snooze(60, "no"), JobState.CANCELLED),
    ],
)
async def test_inline_raises_what_the_handler_raises(engine: Penstock, error: Exception, state: JobState) -> None:
    async def refuse(job: Job[Follow]) -> None:
        raise error

    with pytest.raises(type(error), match="no") as raised:
        await run_inline(engine, [refuse], Follow(to="ada"))
    assert raised.value is error
    assert [job.state for job in enqueued(engine)] == [state]


async def test_inline_opens_secrets() -> None:
    async def log_in(job: Job[Login]) -> str:
        return f"{job.data.user} {len(job.data.password.reveal())}"

    async with temporary_engine(secret_keys=new_key("k")) as engine:
        assert await run_inline(engine, [log_in], Login(user="ada", password=Secret("hunter22"))) == "ada 8"
        assert "hunter22" not in str(enqueued(engine, Login))


async def test_inline_needs_a_handler(engine: Penstock) -> None:
    with pytest.raises(ConfigurationError, match="no handler for kind 'mail'; there are follow"):
        await run_inline(engine, [follow], Mail(to="ada"))


def test_a_temporary_engine_leaves_nothing_behind() -> None:
    async def use() -> Path:
        async with temporary_engine(max_payload_bytes=2048) as engine:
            assert isinstance(engine.store, SqliteStore)
            assert engine.settings.max_payload_bytes == 2048
            await engine.enqueue(Mail(to="ada"))
            return engine.store.path

    assert not asyncio.run(use()).parent.exists()
