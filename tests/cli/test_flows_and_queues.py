"""`penstock flows | queues | schedules | workers`."""

from datetime import timedelta

import pytest

from penstock.app import Penstock
from penstock.domain.schedule import Schedule
from penstock.store.programs.upkeep import declare_schedules
from penstock.store.programs.workers import WorkerInfo, add_worker
from penstock.testing import run_until_idle
from tests.cli.program import Mail, Program, Report, send_mail


@pytest.fixture
def flow(penstock: Program) -> str:
    """A flow of two mails, one of which cannot be sent, and a report after both."""

    async def make(engine: Penstock) -> str:
        async with engine.transaction() as tx:
            flow = tx.flow("mailing")
            mails = await tx.enqueue_many([Mail(to="ada"), Mail(to="nobody")], flow=flow)
            await tx.enqueue(Report(), after=mails)
        return flow.id

    return penstock.engine(make)


def test_lists_flows_with_status_and_progress(penstock: Program, flow: str) -> None:
    (listed,) = penstock.json("flows", "list", "--open")
    assert (listed["id"], listed["name"], listed["status"], listed["progress"]) == (flow, "mailing", "running", 0)
    assert listed["counts"] == {"total": 3, "open": 3, "completed": 0, "failed": 0, "cancelled": 0}
    assert listed["created_at"].endswith("+00:00")
    assert "mailing" in penstock("flows", "list").stdout
    assert penstock("flows", "list", "--ended").stdout == "no flows match\n"


def test_shows_a_flows_jobs_and_what_they_come_after(penstock: Program, flow: str) -> None:
    shown = penstock.json("flows", "show", flow)
    by_kind = {job["kind"]: job for job in shown["jobs"]}
    mails = [job["id"] for job in shown["jobs"] if job["kind"] == "send_mail"]
    assert sorted(by_kind["make_report"]["after"]) == sorted(mails)
    assert by_kind["send_mail"]["after"] == []
    text = penstock("flows", "show", flow[:20]).stdout
    assert "0%: 0 completed, 0 failed, 0 cancelled, 3 open" in text
    assert "make_report" in text


def test_retries_what_failed_in_a_flow(penstock: Program, flow: str) -> None:
    penstock.engine(lambda engine: run_until_idle(engine, [send_mail]))
    assert penstock.json("flows", "show", flow)["status"] == "failed"
    done = penstock.json("flows", "retry", flow)
    assert (done["id"], len(done["ready"]), len(done["blocked"])) == (flow, 1, 1)
    refused = penstock("flows", "retry", flow)
    assert (refused.exit_code, refused.stderr) == (1, f"penstock: flow {flow} has no failed job to retry\n")


def test_cancels_a_flow(penstock: Program, flow: str) -> None:
    assert penstock("flows", "cancel", flow).stdout == f"flow {flow}: 3 jobs cancelled, 0 told to stop\n"
    assert penstock.json("flows", "cancel", flow) == {"id": flow, "cancelled": [], "stopping": []}


def test_an_unknown_flow_fails_in_one_line(penstock: Program) -> None:
    done = penstock("flows", "show", "abc")
    assert (done.exit_code, done.stderr) == (1, "penstock: no flow begins with abc\n")


def test_queues_are_listed_paused_and_resumed(penstock: Program) -> None:
    penstock.enqueue(Mail(to="ada"))
    assert penstock.json("queues", "pause", "mail") == {"queue": "mail", "paused": True}
    (queue,) = penstock.json("queues", "list")
    assert (queue["name"], queue["counts"]) == ("mail", {"ready": 1})
    assert queue["paused_since"].endswith("+00:00")
    assert "paused since" in penstock("queues", "list").stdout
    assert penstock("queues", "resume", "mail").stdout == "queue mail goes on\n"
    assert penstock("queues", "resume", "mail").stdout == "queue mail was not paused\n"
    assert penstock.json("queues", "list")[0]["paused_since"] is None


def test_schedules_are_listed_paused_and_resumed(penstock: Program) -> None:
    async def declare(engine: Penstock) -> None:
        engine.schedule("reports", Schedule(every=timedelta(hours=1)), Report())
        await engine.store.run(
            declare_schedules(list(engine.schedules.values()), [Report.job_kind.queue], engine.store.clock.now())
        )

    assert penstock("schedules", "list").stdout.startswith("no schedules")
    penstock.engine(declare)
    (listed,) = penstock.json("schedules", "list")
    assert (listed["name"], listed["when"], listed["kind"]) == ("reports", "every 3600 s", "make_report")
    assert penstock.json("schedules", "pause", "reports") == {"schedule": "reports", "paused": True}
    assert "paused" in penstock("schedules", "list").stdout
    assert penstock("schedules", "resume", "reports").exit_code == 0
    refused = penstock("schedules", "pause", "nightly")
    assert (refused.exit_code, refused.stderr) == (1, "penstock: no schedule 'nightly'\n")


def test_workers_are_listed(penstock: Program) -> None:
    assert penstock("workers").stdout.startswith("no workers")
    info = WorkerInfo("ours", "host", 1, None, ("mail",), ("send_mail",), 30_000_000)
    penstock.engine(lambda engine: engine.store.run(add_worker(info, engine.store.clock.now())))
    (worker,) = penstock.json("workers")
    assert (worker["name"], worker["queues"], worker["kinds"]) == ("ours", ["mail"], ["send_mail"])
    assert "ours" in penstock("workers").stdout
