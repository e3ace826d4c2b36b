"""Promise 12: SQLite and PostgreSQL behave the same, also at the edges."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from penstock import InvalidJob, JobData, JobFailed, NotFound, PayloadTooLarge, Penstock, codec
from penstock.store import statements
from penstock.store.programs.read import JobFilter
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

VALUES: list[Any] = [
    None, True, False, 0, -1, 2**53, 1.5, 1e300, "", "text", "null", '"quoted"', "[1]",
    "Zoë 🐟 \u2028 \t\n\\ '", [], {},
    [None, [True, {"a": []}]], {"": {"deep": [1, 2.5, "x"]}}, {"back\\slash": "\\u0000", "é": "ü"},
]  # fmt: skip

KNOWN_TO_NOBODY = "019a6b2c-41d7-7c00-8a00-000000000000"


class Anything(JobData, kind="anything"):
    value: Any = None


def test_both_dialects_name_the_same_statements():
    assert statements.names("penstock.store.sqlite.sql") == statements.names("penstock.store.postgres.sql")


async def test_data_and_results_of_any_json_come_back_unchanged(engine: Penstock, worker: HandWorker):
    handles = await engine.enqueue_many([Anything(value=value) for value in VALUES])
    for handle, job, value in zip(handles, await worker.claim(), VALUES, strict=True):
        assert job.id == handle.id
        assert codec.loads(job.data) == {"value": value}
        await worker.complete(job, value)
        assert await handle.result() == value
        assert repr(await engine.jobs.payload(handle.id)) == repr(({"value": value}, value))


async def test_text_with_a_nul_is_refused_in_data_and_kept_readable_in_errors(engine: Penstock, worker: HandWorker):
    with pytest.raises(InvalidJob, match="NUL"):
        await engine.enqueue(Anything(value={"a": ["b\x00c"]}))
    handle = await engine.enqueue(Work())
    await worker.fail(await worker.claim_one(), message="a\x00b \ud800")
    with pytest.raises(JobFailed, match="a�b"):
        await handle.result()


async def test_a_result_may_hold_a_nul(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    await worker.complete(await worker.claim_one(), "a\x00b")
    assert await handle.result() == "a\x00b"


async def test_data_over_the_limit_is_refused_with_its_size(engine: Penstock, worker: HandWorker):
    limit = engine.settings.max_payload_bytes
    room = limit - len(Anything(value="").model_dump_json())
    await engine.enqueue(Anything(value="x" * room))
    with pytest.raises(PayloadTooLarge, match=rf"data of anything is {limit + 1:,} bytes, more than .* {limit:,}"):
        await engine.enqueue(Anything(value="x" * (room + 1)))
    assert len((await worker.claim_one()).data) == limit


async def test_an_id_is_known_in_every_form_of_a_uuid(engine: Penstock):
    handle = await engine.enqueue(Work())
    forms: list[Any] = [handle.id.upper(), handle.id.replace("-", ""), UUID(handle.id)]
    for form in forms:
        assert (await engine.get(form)).id == handle.id
        child = await engine.enqueue(Work(), after=form)
        assert (await engine.get(child.id)).state == "blocked"
    assert (await engine.jobs.cancel_many([handle.id.upper()])).cancelled == [handle.id]


@pytest.mark.parametrize("wrong", ["", "nope", "0" * 31, KNOWN_TO_NOBODY + "0", KNOWN_TO_NOBODY])
async def test_what_is_no_known_id_is_not_found(engine: Penstock, wrong: str):
    calls: list[Callable[[str], Awaitable[Any]]] = [
        engine.get, engine.cancel, engine.jobs.why, engine.jobs.retry, engine.jobs.payload, engine.jobs.status_of,
        engine.flows.get, engine.flows.cancel, engine.flows.retry,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(NotFound):
            await call(wrong)
    for blocking in (engine.sync.status, engine.sync.result):
        with pytest.raises(NotFound):
            blocking(wrong)
    for option in ("after", "flow"):
        with pytest.raises((NotFound, InvalidJob)):
            await engine.enqueue(Work(), **{option: wrong})


OPTIONS: list[dict[str, Any]] = [
    {"delay": timedelta.max}, {"delay": -1}, {"delay": float("inf")}, {"deadline": timedelta.max},
    {"retention": timedelta.max}, {"concurrency_limit": 0, "concurrency_key": "k"},
    {"concurrency_limit": 10_001, "concurrency_key": "k"}, {"max_attempts": 0}, {"max_attempts": 10_001},
    {"tags": ["a\x00"]}, {"unique": "a\x00"}, {"unique": ""}, {"unique": "x" * 513}, {"tenant": "a,b"}, {"tenant": ""},
    {"concurrency_key": "x" * 201}, {"queue": "a\x00"}, {"id": "42"}, {"after": 42}, {"delay": 1, "run_at": 2},
    {"colour": "red"}, {"timeout": 0},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
async def test_an_option_no_store_could_hold_is_refused_by_name(
    engine: Penstock, worker: HandWorker, options: dict[str, Any]
):
    name = next(iter(options))
    with pytest.raises(Exception, match=name) as caught:
        await engine.enqueue(Work(), **options)
    assert type(caught.value).__name__ in ("InvalidJob", "ConfigurationError")
    assert await worker.claim() == []


async def test_listing_filters_and_pages(engine: Penstock, worker: HandWorker, clock: MovableClock):
    a = await engine.enqueue(Work(), queue="q1", tenant="t1", tags=["x", "y"])
    clock.advance(10)
    flow = await engine.flow("f")
    b = await engine.enqueue(Anything(), flow=flow)
    clock.advance(10)
    c = await engine.enqueue(Work(), tags=["y"], delay=5)

    async def ids(**wanted: Any) -> list[str]:
        return [view.id for view in await engine.jobs.list(JobFilter(**wanted))]

    assert await ids() == [c.id, b.id, a.id]
    assert await ids(limit=2) == [c.id, b.id]
    assert await ids(before=b.id) == [a.id]
    assert await ids(states=("ready",)) == [b.id, a.id]
    assert await ids(states=()) == []
    assert await ids(queue="q1") == await ids(tenant="t1") == await ids(tag="x") == [a.id]
    assert await ids(tag="y") == [c.id, a.id]
    assert await ids(kind="anything") == await ids(flow_id=flow.id) == [b.id]
    start = clock.now() - 20_000_000
    assert await ids(since=start + 1, until=clock.now()) == [b.id]
    assert await ids(since=start, until=start + 1) == [a.id]


async def test_an_id_is_found_by_its_unique_beginning(engine: Penstock):
    handle = await engine.enqueue(Work(), id="aaaaaaaa-0000-7000-8000-000000000001")
    await engine.enqueue(Work(), id="aaaabbbb-0000-7000-8000-000000000001")
    assert await engine.jobs.resolve("aaaaaaaa") == await engine.jobs.resolve("AAAAAAAA-00") == handle.id
    with pytest.raises(InvalidJob, match="several"):
        await engine.jobs.resolve("aaaa")
    with pytest.raises(NotFound):
        await engine.jobs.resolve("cc")
    with pytest.raises(InvalidJob, match="hexadecimal"):
        await engine.jobs.resolve("xyz")


async def test_flows_are_listed_by_name_tenant_and_openness(engine: Penstock, worker: HandWorker):
    async with engine.transaction() as tx:
        one = tx.flow("one", tenant="t")
        two = tx.flow("two")
        await tx.enqueue(Work(), flow=one)
    await worker.finish_all()

    async def names(**wanted: Any) -> list[str]:
        return [flow.name for flow in await engine.flows.list(**wanted)]

    assert await names() == ["two", "one"]
    assert await names(open=True) == ["two"]
    assert await names(open=False) == await names(tenant="t") == await names(name="one") == ["one"]
    assert await names(before=two.id) == ["one"]
    assert await engine.flows.resolve(one.id[:-1]) == one.id


async def test_queues_are_listed_with_their_jobs_by_state(engine: Penstock, worker: HandWorker):
    await engine.enqueue_many([Work(), Work(), Work()])
    await engine.enqueue(Work(), delay=5, queue="other")
    job, _ = await worker.claim(2)
    await worker.complete(job)
    await engine.queues.pause("paused")
    queues = {queue.name: queue for queue in await engine.queues.list()}
    assert list(queues) == ["default", "other", "paused"]
    assert queues["default"].counts == {"ready": 1, "running": 1, "completed": 1}
    assert queues["other"].counts == {"scheduled": 1}
    assert queues["paused"].paused_since is not None
