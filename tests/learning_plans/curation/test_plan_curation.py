"""plan_curation by full processing of its job, on both stores."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from penstock import Fixed
from systems.learning_plans.application.curation_ports import TaskOutcome
from systems.learning_plans.handlers.plan_curation_job import PlanCurationJob
from systems.learning_plans.infrastructure import tables
from systems.learning_plans.infrastructure.finds import SqlFinds, mark_pending
from tests.learning_plans.application.curation_fakes import NOW, MovableClock
from tests.learning_plans.curation.bench import WAIT_S, CurationBench, curation_bench, settings_of, until
from tests.learning_plans.curation.conftest import TITLES
from tests.learning_plans.plans import PLAN, USER, add_plan, attached, explanations, standing
from tests.learning_plans.wires.search_wires import ENGINE, GOOGLE, GOOGLE_KEY, YOUTUBE, SearchWires, Video
from tests.support import faults

SEARCH = f"{YOUTUBE}/search"
MODULES = (TITLES[:2], TITLES[2:])

pytestmark = pytest.mark.timeout(180)


async def run(bench: CurationBench, task_ids: list[str] | None = None):
    job_id = await bench.ask(task_ids)
    await bench.plans.run_until_idle(WAIT_S)
    return await bench.ended(job_id)


def searched(wires: SearchWires) -> Counter[str]:
    """How often each task was searched for."""
    return Counter(query.removeprefix("SQL ") for query in wires.queries)


async def test_every_task_gets_its_videos_and_its_explanation(database_url: str, wires: SearchWires) -> None:
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, *MODULES)
        view = await run(bench)
        assert view.status == "completed"
        result = {"plan_id": PLAN, "done": 5, "skipped": 0, "failed": 0, "resources": 15, "micro_explanations": 5}
        assert view.result == result
        assert await standing(bench.database) == dict.fromkeys(TITLES, ("done", None))
        for title in TITLES:
            assert await attached(bench.database, title) == [(n + 1, f"{title}{n}") for n in range(3)]
        assert all("without a language model" in str(text) for text in (await explanations(bench.database)).values())
        (event,) = await bench.plans.engine.events.read(stream="plans")
        assert (event.type, event.subject) == ("plan.curated", PLAN)
        assert event.data.items() >= (result | {"user_id": USER, "job_id": view.id, "attempt": 1}).items()
    assert searched(wires) == Counter(TITLES)
    assert wires.calls[f"{YOUTUBE}/videos"] == 5


async def test_lp_15_running_curation_twice_adds_no_row(database_url: str, wires: SearchWires) -> None:
    async def rows() -> list[int]:
        async with bench.database.reads() as session:
            of = (tables.ResourceRow, tables.TaskResourceRow, tables.TaskCurationRow)
            return [int(await session.scalar(select(func.count()).select_from(table)) or 0) for table in of]

    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, *MODULES)
        await run(bench)
        before, told = await rows(), await explanations(bench.database)
        # As if it had never been: all tasks are curated anew.
        async with bench.database.sessions.begin() as session:
            await session.execute(delete(tables.TaskCurationRow))
        await run(bench)
        assert await rows() == before == [15, 15, 5]
        assert await explanations(bench.database) == told
    assert wires.calls[SEARCH] == 5, "the second time the answers were still kept"


async def test_a_task_that_is_done_is_not_curated_again(database_url: str, wires: SearchWires) -> None:
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, *MODULES)
        await run(bench, ["joins"])
        view = await run(bench)
        assert view.result["done"] == 4
    assert searched(wires) == Counter(TITLES)


async def test_a_search_that_fails_fails_its_task_only_and_can_be_asked_for_again(
    database_url: str, wires: SearchWires
) -> None:
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, *MODULES)
        wires.faults[SEARCH].append(faults.status(403, "Quota exceeded"))
        view = await run(bench)
        assert (view.status, view.result["done"], view.result["failed"]) == ("completed", 4, 1)
        failed = {task: state for task, state in (await standing(bench.database)).items() if state[0] == "failed"}
        assert failed == {"joins": ("failed", "videos: YouTube answered 403: Quota exceeded")}
        again = (await bench.http.post(f"/api/plans/{PLAN}/curate")).json()["job_id"]
        await bench.plans.run_until_idle(WAIT_S)
        assert (await bench.ended(again)).result["done"] == 1
        assert await standing(bench.database) == dict.fromkeys(TITLES, ("done", None))
    assert searched(wires) == Counter(TITLES)  # the refused search never got so far as to be read


async def curation_states(bench: CurationBench) -> dict[str, tuple[str, str | None]]:
    """As a learner sees them."""
    plan = (await bench.http.get(f"/api/plans/{PLAN}")).json()
    tasks = [task for module in plan["modules"] for task in module["tasks"]]
    return {task["title"]: (task["curation"]["status"], task["curation"]["reason"]) for task in tasks}


async def test_lp_16_when_the_budget_is_used_up_the_rest_is_skipped_and_only_that_is_taken_up_again(
    database_url: str, wires: SearchWires
) -> None:
    clock = MovableClock()

    def slow(request):
        clock.advance(timedelta(seconds=30).total_seconds())
        return wires.answer(request)

    async with curation_bench(settings_of(database_url, wires.url), clock=clock) as bench:
        await add_plan(bench.database, *MODULES)
        wires.faults[f"{YOUTUBE}/videos"] += [wires.answer, slow]
        view = await run(bench)
        assert (view.status, view.result["done"], view.result["skipped"]) == ("completed", 2, 3)
        skipped = dict.fromkeys(("indexes", "locks", "plans"), ("skipped", "time_budget"))
        assert await curation_states(bench) == {"joins": ("done", None), "views": ("done", None)} | skipped
        assert searched(wires) == Counter(["joins", "views"])
        answer = await bench.http.post(f"/api/plans/{PLAN}/curate")
        assert answer.status_code == 202
        assert dict.fromkeys((await curation_states(bench)).values()) == {("done", None): None, ("pending", None): None}
        await bench.plans.run_until_idle(WAIT_S)
        assert (await bench.ended(answer.json()["job_id"])).result["done"] == 3
        assert await curation_states(bench) == dict.fromkeys(TITLES, ("done", None))
    assert searched(wires) == Counter(TITLES)


async def test_lp_15_asking_for_curation_again_adds_nothing_when_all_is_done(
    database_url: str, wires: SearchWires
) -> None:
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, *MODULES)
        await run(bench)
        before = (await bench.http.get(f"/api/plans/{PLAN}")).json()
        answer = await bench.http.post(f"/api/plans/{PLAN}/curate")
        assert answer.status_code == 202
        await bench.plans.run_until_idle(WAIT_S)
        assert (await bench.ended(answer.json()["job_id"])).status == "completed"
        assert (await bench.http.get(f"/api/plans/{PLAN}")).json() == before
    assert searched(wires) == Counter(TITLES)


async def test_the_models_calls_are_billed_to_the_learner(database_url: str, wires: SearchWires) -> None:
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, *MODULES)
        view = await run(bench)
        async with bench.database.reads() as session:
            rows = (await session.scalars(select(tables.AiUsageEventRow))).all()
        assert sorted((row.user_id, row.job_id, row.operation, row.call_no) for row in rows) == [
            (USER, view.id, "micro_explanation", number) for number in range(1, 6)
        ]


async def test_when_no_run_could_store_its_finds_the_tasks_can_be_asked_for_again(
    database_url: str, wires: SearchWires, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = SqlFinds.keep

    async def broken_for_finds(self: SqlFinds, outcomes: Sequence[TaskOutcome]) -> None:
        if any(outcome.resources for outcome in outcomes):
            raise OSError("the disk is full")
        await keep(self, outcomes)

    monkeypatch.setattr(SqlFinds, "keep", broken_for_finds)
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, ("joins",))
        await bench.plans.engine.enqueue(PlanCurationJob(plan_id=PLAN, user_id=USER), retry=Fixed(0))
        await bench.plans.run_until_idle(WAIT_S)
        assert await curation_states(bench) == {"joins": ("failed", "curation failed (OSError)")}
        monkeypatch.setattr(SqlFinds, "keep", keep)
        await bench.http.post(f"/api/plans/{PLAN}/curate")
        await bench.plans.run_until_idle(WAIT_S)
        assert await curation_states(bench) == {"joins": ("done", None)}
    assert searched(wires) == Counter(["joins"]), "it was found once, and the answers were still kept later"


async def test_a_cancelled_curation_leaves_its_tasks_to_be_asked_for_again(
    database_url: str, wires: SearchWires
) -> None:
    until_then = threading.Event()
    wires.faults[SEARCH] += [wires.answer, faults.stall(until_then)]
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, ("joins", "views"))
        async with bench.database.sessions.begin() as session:
            await mark_pending(session, ["joins", "views"], NOW)
        await bench.plans.start()
        job_id = await bench.ask()
        await until(lambda: has_begun(wires, 2))
        assert (await bench.http.post(f"/api/jobs/{job_id}/cancel")).status_code == 202
        assert (await bench.ended(job_id)).status == "cancelled"
        until_then.set()
        await bench.plans.run_until_idle(WAIT_S)
        assert await curation_states(bench) == {"joins": ("done", None), "views": ("failed", "cancelled")}
        again = (await bench.http.post(f"/api/plans/{PLAN}/curate")).json()["job_id"]
        assert (await bench.ended(again)).result["done"] == 1
        assert await curation_states(bench) == dict.fromkeys(("joins", "views"), ("done", None))


async def has_begun(wires: SearchWires, searches: int) -> bool:
    return wires.calls[SEARCH] == searches


async def test_lp_15_documentation_joins_where_videos_are_few_and_a_dead_link_is_not_attached(
    database_url: str, wires: SearchWires
) -> None:
    google = {"google_cse_key": GOOGLE_KEY, "google_cse_id": ENGINE, "google_cse_base_url": wires.url + GOOGLE}
    local = {"docs_allowed_domains": ("127.0.0.1",), "docs_allow_private_hosts": True, "min_resource_score": 0.5}
    wires.by_word = {"joins": [Video("one", "SQL joins"), Video("two", "Cooking rice")]}
    wires.google = [
        {"title": "SQL joins", "link": wires.page("dead")},
        {"title": "SQL joins", "link": wires.page("manual") + "?utm_source=mail"},
        {"title": "Welcome to our site", "link": wires.page("welcome")},
        {"title": "SQL joins", "link": "https://evil.example/sql-joins"},
    ]
    wires.gone = {"dead"}
    async with curation_bench(settings_of(database_url, wires.url, **google, **local)) as bench:
        await add_plan(bench.database, ("joins",))
        assert (await run(bench)).result["resources"] == 2
        assert await attached(bench.database, "joins") == [(1, "one"), (2, "manual")]
    assert dict(wires.heads) == {"dead": 1, "manual": 1, "welcome": 1}


async def test_another_learners_plan_is_not_curated(database_url: str, wires: SearchWires) -> None:
    async with curation_bench(settings_of(database_url, wires.url)) as bench:
        await add_plan(bench.database, *MODULES)
        async with bench.database.sessions.begin() as session:
            await session.execute(delete(tables.PlanRow))
        view = await run(bench)
        assert (view.status, view.attempts) == ("failed", 1)
    assert wires.calls.total() == 0
