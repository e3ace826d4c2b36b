import math
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from penstock.domain.job import JobData, JobEnded, KindSpec
from penstock.domain.options import EnqueueOptions, canonical_id, micros, moment_of
from penstock.domain.retry import DEFAULT_RETRY, Fixed
from penstock.domain.unique import Unique
from penstock.errors import InvalidJob, PenstockError

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
ID = "0190f3a2-7b1c-7def-8123-456789abcdef"


class Ended(JobEnded, kind="options_ended", queue="ends", priority="urgent", max_attempts=2):
    pass


class Plain(JobData, kind="options_plain"):
    pass


class Rich(
    JobData,
    kind="options_rich",
    priority="high",
    max_attempts=3,
    timeout=60,
    retry=Fixed(2),
    tags=("b", "a"),
    ended_by=Ended,
):
    pass


PLAIN, RICH = Plain.job_kind, Rich.job_kind


@pytest.mark.parametrize(
    ("options", "due_at"),
    [
        ({}, None),
        ({"delay": 0}, None),
        ({"delay": 1.5}, NOW + 1_500_000),
        ({"delay": timedelta(minutes=1)}, NOW + 60 * SECOND),
        ({"run_at": moment_of(NOW + 5)}, NOW + 5),
        ({"run_at": datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, 1_767_225_600 * SECOND),
    ],
    ids=str,
)
def test_when_a_job_may_start(options, due_at):
    assert EnqueueOptions(**options).due_at(NOW) == due_at


def test_a_delay_and_a_moment_together_are_refused():
    with pytest.raises(InvalidJob, match="either delay or run_at, not both"):
        EnqueueOptions(delay=1, run_at=moment_of(NOW)).due_at(NOW)


@pytest.mark.parametrize(
    "delay", [-1, timedelta(seconds=-1), timedelta(days=36_501), 1e300, math.nan, math.inf, "5"], ids=str
)
def test_a_delay_out_of_bounds_is_refused(delay):
    with pytest.raises(InvalidJob, match="delay must be a timedelta or seconds from 0 to 36500 days"):
        EnqueueOptions(delay=delay).due_at(NOW)


@pytest.mark.parametrize(
    ("deadline", "at"), [(None, None), (timedelta(seconds=3), NOW + 3 * SECOND), (moment_of(NOW + 9), NOW + 9)]
)
def test_a_deadline_is_a_moment_or_a_while_from_now(deadline, at):
    assert EnqueueOptions(deadline=deadline).deadline_at(NOW, PLAIN) == at


def test_deadline_and_retention_are_the_kinds_unless_given():
    bounded = KindSpec("bounded", deadline_s=60.0, retention_s=30.0)
    assert EnqueueOptions().deadline_at(NOW, bounded) == NOW + 60 * SECOND
    assert EnqueueOptions(deadline=timedelta(seconds=5)).deadline_at(NOW, bounded) == NOW + 5 * SECOND
    assert EnqueueOptions().stored(bounded)["retention"] == 30 * SECOND
    assert EnqueueOptions(retention=timedelta(seconds=5)).stored(bounded)["retention"] == 5 * SECOND


def test_a_negative_deadline_is_refused():
    with pytest.raises(InvalidJob, match="deadline must be"):
        EnqueueOptions(deadline=timedelta(seconds=-1)).deadline_at(NOW, PLAIN)


@pytest.mark.parametrize("moment", [moment_of(NOW).replace(tzinfo=None), "2026-01-01", 5], ids=str)
def test_a_moment_without_a_time_zone_is_refused_by_the_name_of_its_option(moment):
    with pytest.raises(InvalidJob, match="run_at must"):
        EnqueueOptions(run_at=moment).due_at(NOW)
    with pytest.raises(InvalidJob, match="deadline must"):
        EnqueueOptions(deadline=moment).deadline_at(NOW, PLAIN)


def test_micros_and_moments_are_each_others_inverse():
    assert micros("x", moment_of(NOW + 1)) == NOW + 1
    assert moment_of(0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_priority_and_attempts_are_the_kinds_unless_given():
    assert (EnqueueOptions().level(RICH), EnqueueOptions().attempts(RICH)) == (10, 3)
    given = EnqueueOptions(priority="low", max_attempts=7)
    assert (given.level(RICH), given.attempts(RICH)) == (-10, 7)
    assert EnqueueOptions(priority=0).level(RICH) == 0


@pytest.mark.parametrize("attempts", [0, -1, 10_001, 1.5, True])
def test_a_bad_number_of_attempts_is_refused(attempts):
    with pytest.raises(InvalidJob, match="max_attempts must be an integer from 1 to 10000"):
        EnqueueOptions(max_attempts=attempts).attempts(PLAIN)


@pytest.mark.parametrize(
    ("given", "unique"), [(None, None), ("plan:42", Unique("plan:42")), (Unique("k", forever=True),) * 2], ids=str
)
def test_a_unique_option_may_be_the_key_alone(given, unique):
    assert EnqueueOptions(unique=given).unique_key() == unique


@pytest.mark.parametrize("given", ["", 42, ("plan", 42)])
def test_a_unique_option_that_is_no_key_is_refused(given):
    with pytest.raises(InvalidJob, match=r"^unique .*must"):
        EnqueueOptions(unique=given).unique_key()


def test_a_job_of_a_plain_kind_stores_no_options():
    assert EnqueueOptions().stored(PLAIN) == {}


def test_what_the_kind_declares_is_stored_with_the_job():
    assert EnqueueOptions().stored(RICH) == {
        "timeout": 60.0,
        "retry": {"f": [2, 0.0]},
        "tags": ["a", "b"],
        "ended_by": {"kind": "options_ended", "queue": "ends", "level": 20, "attempts": 2},
    }


def test_options_of_the_enqueue_go_before_those_of_the_kind():
    given = EnqueueOptions(
        timeout=timedelta(seconds=5), retry=DEFAULT_RETRY, tags=("c", "a"), retention=timedelta(hours=1)
    ).stored(RICH)
    assert given["timeout"] == 5.0
    assert "retry" not in given
    assert given["tags"] == ["a", "b", "c"]
    assert given["retention"] == 3_600 * SECOND


@pytest.mark.parametrize(
    ("option", "value"),
    [("timeout", 0), ("timeout", "5"), ("retry", "often"), ("tags", ("a,b",)), ("retention", timedelta(seconds=-1))],
)
def test_a_bad_stored_option_is_refused_by_name(option, value):
    with pytest.raises(PenstockError, match=f"^{option} must be"):
        EnqueueOptions(**{option: value}).stored(PLAIN)


@pytest.mark.parametrize(
    "given", [ID, ID.upper(), UUID(ID), ID.replace("-", ""), f"urn:uuid:{ID}", f"{{{ID}}}"], ids=str
)
def test_an_id_is_kept_in_one_form(given):
    assert EnqueueOptions(id=given).checked_id() == ID
    assert canonical_id(given) == ID


def test_no_id_is_none():
    assert EnqueueOptions().checked_id() is None


@pytest.mark.parametrize("given", ["", "42", 42, ID + "0"])
def test_an_id_that_is_no_uuid_is_refused_and_points_to_unique(given):
    assert canonical_id(given) is None
    with pytest.raises(InvalidJob, match=r"id must be a UUID, not .*; for a business key use unique="):
        EnqueueOptions(id=given).checked_id()


def test_tenant_and_concurrency_key_are_names():
    assert EnqueueOptions().checked_keys() == {"tenant": None, "concurrency_key": None}
    given = EnqueueOptions(tenant="acme", concurrency_key="repo:1", concurrency_limit=10_000)
    assert given.checked_keys() == {"tenant": "acme", "concurrency_key": "repo:1"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tenant", ""),
        ("tenant", "a,b"),
        ("concurrency_key", "x" * 201),
        ("concurrency_limit", 0),
        ("concurrency_limit", 10_001),
        ("concurrency_limit", 1.5),
    ],
)
def test_a_bad_key_or_limit_is_refused_by_name(option, value):
    with pytest.raises(PenstockError, match=f"^{option} must be"):
        EnqueueOptions(**{option: value}).checked_keys()
