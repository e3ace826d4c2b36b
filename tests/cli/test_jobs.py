"""`penstock jobs`."""

from datetime import timedelta

import pytest

from penstock.app import Penstock
from penstock.testing import run_until_idle
from tests.cli.program import Mail, Program, Report, send_mail


def run_mails(program: Program) -> None:
    program.engine(lambda engine: run_until_idle(engine, [send_mail]))


def test_lists_newest_first_as_json_and_as_a_table(penstock: Program) -> None:
    first, second = penstock.enqueue(Mail(to="ada"), Mail(to="bob"), tags=["welcome"], tenant="acme")
    listed = penstock.json("jobs", "list")
    assert [job["id"] for job in listed] == [second, first]
    assert listed[0] | {"kind": "send_mail", "status": "pending", "tags": ["welcome"], "tenant": "acme"} == listed[0]
    assert listed[0]["created_at"].endswith("+00:00")
    table = penstock("jobs", "list").stdout
    assert "send_mail" in table
    assert first[:18] in table


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--kind", "send_mail"], {"mail"}),
        (["--queue", "reports"], {"reports"}),
        (["--tenant", "acme"], {"mail"}),
        (["--tag", "monthly"], {"reports"}),
        (["--status", "pending"], {"mail", "reports"}),
        (["--status", "failed", "--status", "running"], set()),
        (["--state", "scheduled"], {"reports"}),
        (["--since", "1h"], {"mail", "reports"}),
        (["--since", "2020-01-01", "--until", "1d"], set()),
    ],
)
def test_filters(penstock: Program, options: list[str], expected: set[str]) -> None:
    penstock.enqueue(Mail(to="ada"), tenant="acme")
    penstock.enqueue(Report(), tags=["monthly"], delay=timedelta(hours=1))
    assert {job["queue"] for job in penstock.json("jobs", "list", *options)} == expected


def test_the_limit_bounds_the_list(penstock: Program) -> None:
    penstock.enqueue(*(Mail(to=str(n)) for n in range(5)))
    assert len(penstock.json("jobs", "list", "--limit", "3")) == 3


def test_no_match_is_said_and_is_no_failure(penstock: Program) -> None:
    done = penstock("jobs", "list", "--kind", "unheard_of")
    assert (done.exit_code, done.stdout) == (0, "no jobs match\n")


def test_shown_ids_are_accepted_as_ids(penstock: Program) -> None:
    ids = penstock.enqueue(*(Mail(to=str(n)) for n in range(50)))
    shown = [line.split()[0] for line in penstock("jobs", "list").stdout.splitlines() if "send_mail" in line]
    assert [penstock.json("jobs", "show", one)["id"] for one in shown[:3]] == ids[::-1][:3]


def test_shows_data_result_and_flow(penstock: Program) -> None:
    async def make_flow(engine: Penstock) -> tuple[str, str]:
        async with engine.transaction() as tx:
            flow = tx.flow("mailing")
            mail = await tx.enqueue(Mail(to="ada"), flow=flow)
            report = await tx.enqueue(Report(), after=mail)
        return mail.id, report.id

    mail, report = penstock.engine(make_flow)
    run_mails(penstock)
    shown = penstock.json("jobs", "show", mail)
    assert (shown["data"], shown["result"], shown["state"]) == ({"to": "ada"}, "sent to ada", "completed")
    assert shown["children"] == [{"id": report, "state": "ready"}]
    assert shown["flow"]["name"] == "mailing"
    assert penstock.json("jobs", "show", report)["parents"] == [{"id": mail, "state": "completed"}]
    text = penstock("jobs", "show", mail).stdout
    assert all(part in text for part in ("sent to ada", '"to": "ada"', "mailing", report))


def test_shows_the_error_history_with_tracebacks(penstock: Program) -> None:
    (job,) = penstock.enqueue(Mail(to="nobody"))
    run_mails(penstock)
    (error,) = penstock.json("jobs", "show", job)["errors"]
    assert (error["attempt"], error["message"]) == (1, "there is no such person")
    assert "there is no such person" in penstock("jobs", "show", job).stdout


def test_why_says_what_a_job_waits_for(penstock: Program) -> None:
    (job,) = penstock.enqueue(Mail(to="ada"))
    said = penstock.json("jobs", "why", job)
    assert (said["job_id"], said["state"]) == (job, "ready")
    assert "no worker serves queue 'mail'" in said["reasons"]
    assert "no worker serves queue 'mail'" in penstock("jobs", "why", job).stdout


def test_retry_runs_an_ended_job_again(penstock: Program) -> None:
    (job,) = penstock.enqueue(Mail(to="nobody"))
    run_mails(penstock)
    assert penstock.json("jobs", "retry", job) == {
        "retried": [{"id": job, "ready": [job], "blocked": []}],
        "refused": [],
    }
    assert penstock.json("jobs", "show", job)["state"] == "ready"


def test_retry_refuses_a_job_that_has_not_ended(penstock: Program) -> None:
    (job,) = penstock.enqueue(Mail(to="ada"))
    done = penstock("jobs", "retry", job)
    assert done.exit_code == 1
    assert done.stderr == f"penstock: job {job} is ready; only an ended job can be retried\n"


def test_retry_all_takes_the_failed_ones_and_asks_first(penstock: Program) -> None:
    penstock.enqueue(Mail(to="nobody"), Mail(to="ada"), Mail(to="nobody"))
    run_mails(penstock)
    refused = penstock("jobs", "retry", "--all", given="n\n")
    assert refused.exit_code == 1
    assert penstock.json("jobs", "list", "--status", "pending") == []
    agreed = penstock("jobs", "retry", "--all", "--queue", "mail", given="y\n")
    assert (agreed.exit_code, agreed.stdout.splitlines()[-1]) == (0, "2 jobs will run again")


def test_retry_all_with_yes_does_not_ask(penstock: Program) -> None:
    penstock.enqueue(Mail(to="nobody"))
    run_mails(penstock)
    assert len(penstock.json("jobs", "retry", "--all", "--yes")["retried"]) == 1


def test_cancel_takes_several_ids(penstock: Program) -> None:
    ids = penstock.enqueue(Mail(to="ada"), Mail(to="bob"))
    assert sorted(penstock.json("jobs", "cancel", *ids, "--reason", "wrong list")["cancelled"]) == sorted(ids)
    assert penstock.json("jobs", "show", ids[0])["reason"] == "wrong list"


def test_cancelling_an_ended_job_fails_by_name(penstock: Program) -> None:
    (job,) = penstock.enqueue(Mail(to="ada"))
    run_mails(penstock)
    done = penstock("jobs", "cancel", job)
    assert (done.exit_code, done.stderr) == (1, f"penstock: job {job} has ended already\n")


def test_cancel_all_takes_the_open_ones_that_are_chosen(penstock: Program) -> None:
    penstock.enqueue(Mail(to="ada"), Mail(to="bob"))
    (report,) = penstock.enqueue(Report())
    assert len(penstock.json("jobs", "cancel", "--all", "--queue", "mail", "--yes")["cancelled"]) == 2
    assert [job["id"] for job in penstock.json("jobs", "list", "--status", "pending")] == [report]


def test_move_changes_time_and_priority(penstock: Program) -> None:
    (job,) = penstock.enqueue(Mail(to="ada"))
    assert penstock.json("jobs", "move", job, "--delay", "2h") == {"id": job, "state": "scheduled"}
    assert penstock("jobs", "move", job, "--delay", "0s", "--priority", "urgent").stdout == f"job {job} is ready\n"
    assert penstock.json("jobs", "show", job)["priority"] == 20
    assert penstock.json("jobs", "move", job, "--run-at", "2100-01-01T00:00:00+00:00")["state"] == "scheduled"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["retry"], "name the jobs to retry, or choose them with --all and filters"),
        (["retry", "0", "--all"], "name the jobs to retry, or choose them with --all and filters"),
        (["retry", "--all", "--status", "pending"], "only ended jobs can be retried"),
        (["cancel", "--all", "--status", "failed"], "only pending and running jobs can be cancelled"),
        (["list", "--since", "soon"], "'soon' is no duration: write 90s, 30m, 2h, 1d12h or 1w"),
        (["list", "--limit", "0"], "Invalid value for '--limit': Input should be greater than or equal to 1"),
        (["move", "0"], "give one of --delay and --run-at, or --priority"),
        (["list", "--status", "done"], "Invalid value for '--status'"),
    ],
)
def test_wrong_calls_exit_2_with_one_line(penstock: Program, args: list[str], text: str) -> None:
    done = penstock("jobs", *args)
    assert done.exit_code == 2
    assert text in done.stderr
    assert done.stderr.endswith(f"see penstock jobs {args[0]} --help\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("ffff", "penstock: no job begins with ffff\n"),
        ("0", "is the beginning of several job ids"),
        ("x", "is no job id"),
    ],
)
def test_ids_that_name_no_job_fail(penstock: Program, prefix: str, text: str) -> None:
    penstock.enqueue(Mail(to="ada"), Mail(to="bob"))
    done = penstock("jobs", "show", prefix)
    assert done.exit_code == 1
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
