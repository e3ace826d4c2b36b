import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from systems.common.database.connections import Database
from systems.learning_plans.application.curation_ports import CurationStatus, CurationTask, PlanTopic, TaskOutcome
from systems.learning_plans.domain.resources import Candidate, ResourceType
from systems.learning_plans.infrastructure import tables
from systems.learning_plans.infrastructure.curation_work import SqlCurationWork
from systems.learning_plans.infrastructure.finds import SqlFinds, ask_again, mark_pending
from tests.learning_plans.application.curation_fakes import NOW, MovableClock
from tests.learning_plans.plans import USER, add_plan, attached, explanations, standing

DONE, SKIPPED, FAILED, PENDING = (
    CurationStatus.DONE, CurationStatus.SKIPPED, CurationStatus.FAILED, CurationStatus.PENDING
)  # fmt: skip
TASKS = ("a", "b", "c", "d")


@pytest.fixture
async def plan(database: Database) -> str:
    """A plan of two modules, of two tasks each: c, d in the first, a, b in the second."""
    return await add_plan(database, ("c", "d"), ("a", "b"))


def found(name: str, *, score: float = 0.8, title: str = "A title") -> Candidate:
    return Candidate(ResourceType.DOC, f"https://go.dev/{name}", title, "go.dev", score, 0.5)


def done(task_id: str, *names: str, explanation: str | None = None) -> TaskOutcome:
    return TaskOutcome(task_id, DONE, None, tuple(map(found, names)), explanation)


async def counts(database: Database) -> list[int]:
    async with database.reads() as session:
        of = (tables.ResourceRow, tables.TaskResourceRow, tables.TaskCurationRow)
        return [int(await session.scalar(select(func.count()).select_from(table)) or 0) for table in of]


@pytest.fixture
def finds(database: Database, plan: str) -> SqlFinds:
    return SqlFinds(database.sessions, MovableClock())


async def test_lp_15_keeping_the_same_twice_adds_no_row(database: Database, finds: SqlFinds) -> None:
    outcomes = [
        done("a", "x", "y", explanation="Words."),
        done("b", "y", "x"),
        TaskOutcome("c", SKIPPED, "time_budget"),
    ]
    await finds.keep(outcomes)
    before = await counts(database)
    await finds.keep(outcomes)
    assert await counts(database) == before == [2, 4, 3]
    assert await attached(database, "a") == [(1, "x"), (2, "y")]
    assert await attached(database, "b") == [(1, "y"), (2, "x")]
    assert await standing(database) == {"a": ("done", None), "b": ("done", None), "c": ("skipped", "time_budget")}


async def test_new_resources_come_after_those_that_are_there(database: Database, finds: SqlFinds) -> None:
    await finds.keep([done("a", "x", "y")])
    await finds.keep([done("a", "z", "x", "w")])
    assert await attached(database, "a") == [(1, "x"), (2, "y"), (3, "z"), (4, "w")]


async def test_a_resource_is_known_by_its_address_and_brought_up_to_date(database: Database, finds: SqlFinds) -> None:
    await finds.keep([done("a", "x")])
    newer = Candidate(ResourceType.DOC, "https://go.dev/x", "A newer title", "go.dev", 0.7, 0.5, "Somebody", 7)
    await finds.keep([TaskOutcome("b", DONE, None, (newer,))])
    async with database.reads() as session:
        (row,) = await session.scalars(select(tables.ResourceRow))
    assert (row.title, row.author, row.duration_minutes) == ("A newer title", "Somebody", 7)


async def test_a_task_is_explained_once_for_good(database: Database, finds: SqlFinds) -> None:
    await finds.keep([done("a", explanation="First.")])
    await finds.keep([done("a", explanation="Second.")])
    assert await explanations(database) == {"a": "First.", "b": None, "c": None, "d": None}


async def test_tasks_that_are_gone_are_passed_over(database: Database, finds: SqlFinds) -> None:
    await finds.keep([done("gone", "x", explanation="Words."), done("a", "y")])
    assert await counts(database) == [1, 1, 1]


async def test_only_a_pending_task_is_settled(database: Database, finds: SqlFinds) -> None:
    await finds.keep([done("a", "x"), TaskOutcome("b", FAILED, "videos: down")])
    await finds.keep([TaskOutcome("a", SKIPPED, "time_budget"), done("b", "y")])
    assert await standing(database) == {"a": ("done", None), "b": ("failed", "videos: down")}


async def test_skipped_and_failed_tasks_are_asked_for_again(database: Database, finds: SqlFinds) -> None:
    await finds.keep([done("a"), TaskOutcome("b", FAILED, "videos: down"), TaskOutcome("c", SKIPPED, "time_budget")])
    later = NOW + timedelta(hours=1)
    async with database.sessions.begin() as session:
        await mark_pending(session, TASKS, later)
        assert await ask_again(session, TASKS, later) == ["b", "c"]
        assert await ask_again(session, TASKS, later) == []
    assert await standing(database) == {
        "a": ("done", None), "b": ("pending", None), "c": ("pending", None), "d": ("pending", None),
    }  # fmt: skip
    await finds.keep([done("b")])
    assert (await standing(database))["b"] == ("done", None)


async def test_finds_of_many_tasks_kept_at_once_are_all_there(database: Database, finds: SqlFinds) -> None:
    names = [f"r{n}" for n in range(8)]
    backwards = names[::-1]
    await asyncio.gather(
        *(finds.keep([done(task, *(names if n % 2 else backwards))]) for n, task in enumerate(TASKS * 3))
    )
    assert await counts(database) == [8, 32, 4]
    for task in TASKS:
        assert [order for order, _ in await attached(database, task)] == list(range(1, 9))


async def test_finds_of_one_task_kept_at_once_come_one_after_the_other(database: Database, finds: SqlFinds) -> None:
    await asyncio.gather(*(finds.keep([done("a", f"r{n}")]) for n in range(12)))
    assert [order for order, _ in await attached(database, "a")] == list(range(1, 13))


async def test_what_is_to_be_curated_is_read_in_the_plans_order(database: Database, plan: str, finds: SqlFinds) -> None:
    work = SqlCurationWork(database.reads)
    assert await work.topic(plan, USER) == PlanTopic("SQL", "beginner")
    assert await work.topic(plan, "another") is None
    assert await work.topic("gone", "u") is None
    assert await work.open_task_ids(plan, None) == ["c", "d", "a", "b"]
    await finds.keep([done("c", explanation="Words."), TaskOutcome("b", SKIPPED, "time_budget")])
    async with database.sessions.begin() as session:
        await mark_pending(session, ["d"], NOW)
    assert await work.open_task_ids(plan, None) == ["d", "a"]
    assert await work.open_task_ids(plan, ["a", "c", "x"]) == ["a"]
    assert await work.tasks(plan, ["a", "c", "gone"]) == [
        CurationTask("c", (1, 1), "c", "About it.", True),
        CurationTask("a", (2, 1), "a", "About it.", False),
    ]


async def test_a_task_of_another_plan_is_not_curated(database: Database, plan: str) -> None:
    assert await SqlCurationWork(database.reads).open_task_ids("other", ["a"]) == []


async def test_a_plan_replaced_meanwhile_loses_nothing_and_gains_nothing(database: Database, finds: SqlFinds) -> None:
    async with database.sessions.begin() as session:
        await session.execute(update(tables.TaskRow).where(tables.TaskRow.id == "a").values(id="new"))
    await finds.keep([done("a", "x")])
    assert await counts(database) == [0, 0, 0]
