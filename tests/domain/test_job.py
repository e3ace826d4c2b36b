import math
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from pydantic import ValidationError

from penstock.domain.job import JobData, JobEnded, KindSpec, checked_name, checked_names, is_count, seconds_of
from penstock.domain.retry import DEFAULT_RETRY, Named
from penstock.domain.secret import Secret
from penstock.errors import ConfigurationError, InvalidJob, PenstockError


def own_delay(attempt: int, error_class: str) -> float:
    return 1.0


class PlanEnded(JobEnded, kind="plan_ended"):
    pass


class Plain(JobData):
    topic: str


class GeneratePlan(
    JobData,
    kind="generate_plan",
    queue="plans",
    priority="high",
    max_attempts=3,
    retry=Named("own"),
    retries={"own": own_delay},
    timeout=timedelta(minutes=5),
    tags=("ai", "plan"),
    aliases=("make_plan",),
    ended_by=PlanEnded,
):
    topic: str


def declare(**options: Any) -> type[JobData]:
    return type("Declared", (JobData,), {"__module__": __name__}, **options)


def test_a_kind_without_options_is_named_after_its_class_and_has_the_defaults():
    assert Plain.job_kind == KindSpec(kind="Plain")
    assert (Plain.job_kind.queue, Plain.job_kind.level, Plain.job_kind.max_attempts) == ("default", 0, 5)
    assert Plain.job_kind.retry == DEFAULT_RETRY


def test_the_class_options_declare_the_kind():
    assert GeneratePlan.job_kind == KindSpec(
        kind="generate_plan",
        queue="plans",
        level=10,
        max_attempts=3,
        retry=Named("own"),
        retries={"own": own_delay},
        timeout_s=300.0,
        tags=("ai", "plan"),
        aliases=("make_plan",),
        ended_by=PlanEnded,
    )


def test_a_subclass_of_a_kind_is_a_kind_of_its_own():
    class Longer(GeneratePlan):
        pages: int = 1

    assert Longer.job_kind == KindSpec(kind="Longer")
    assert GeneratePlan.job_kind.kind == "generate_plan"


def test_unknown_fields_of_stored_data_are_ignored_and_missing_ones_are_not():
    assert Plain.model_validate_json('{"topic":"SQL","gone":1}') == Plain(topic="SQL")
    with pytest.raises(ValidationError, match="topic"):
        Plain.model_validate_json("{}")


def test_what_runs_at_an_end_is_told_of_the_job_that_ended():
    end = PlanEnded(job_id="1", kind="generate_plan", data={"topic": "SQL"}, state="failed", reason="timed out")
    assert end.job_kind.kind == "plan_ended"
    assert (end.flow_id, end.tenant) == (None, None)


def test_an_unknown_option_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(ConfigurationError, match=r"Declared: unknown option 'qeue'; known: .*queue.*"):
        declare(qeue="plans")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", 10_001),
        ("max_attempts", "3"),
        ("max_attempts", True),
        ("kind", "a,b"),
        ("queue", ""),
        ("retry", "often"),
        ("timeout", 0),
        ("tags", "ai"),
        ("tags", ("a,b",)),
        ("aliases", "old"),
        ("aliases", ("",)),
        ("ended_by", Plain),
        ("ended_by", "PlanEnded"),
    ],
)
def test_a_bad_option_is_refused_by_name(option, value):
    with pytest.raises(ConfigurationError, match=f"{option} must be"):
        declare(**{option: value})


def test_a_bad_priority_of_a_kind_is_refused():
    with pytest.raises(InvalidJob, match="priority 'highest' is unknown"):
        declare(priority="highest")


@pytest.mark.parametrize("name", ["a", "x" * 200, "study notes", "größe"])
def test_a_name_is_printable_text_without_commas(name):
    assert checked_name("queue", name) == name


@pytest.mark.parametrize("name", ["", "x" * 201, "a,b", "a\nb", 5, None])
def test_any_other_name_is_refused(name):
    with pytest.raises(PenstockError, match="queue must be 1 to 200 printable characters without commas"):
        checked_name("queue", name)


def test_several_names_are_not_one_text():
    assert checked_names("tags", iter(["a", "b"])) == ("a", "b")
    for wrong in ("ab", 5):
        with pytest.raises(PenstockError, match="tags must be several names"):
            checked_names("tags", wrong)


@pytest.mark.parametrize(("value", "fits"), [(1, True), (5, True), (0, False), (6, False), (True, False), (2.0, False)])
def test_a_count_is_an_integer_in_its_bounds(value, fits):
    assert is_count(value, 5) is fits


@pytest.mark.parametrize(("value", "seconds"), [(None, None), (timedelta(minutes=1), 60.0), (2, 2.0), (0.5, 0.5)])
def test_a_duration_is_seconds_or_a_timedelta(value, seconds):
    assert seconds_of("timeout", value) == seconds


@pytest.mark.parametrize("value", [0, -1, timedelta(0), math.inf, math.nan, True, "5", [1]])
def test_any_other_duration_is_refused(value):
    with pytest.raises(PenstockError, match="timeout must be"):
        seconds_of("timeout", value)


class Signing(JobData):
    token: Secret[str]
    count: int


@pytest.mark.parametrize(
    "data", [{"token": "sk-live-1"}, {"token": ["sk-live-1"], "count": 1}, {"token": "t", "count": "sk-live-1"}]
)
def test_an_error_names_the_field_and_does_not_show_what_was_given(data):
    with pytest.raises(ValidationError, match=r"token|count") as caught:
        Signing.model_validate(data)
    assert "sk-live-1" not in str(caught.value)


def test_the_names_of_a_kind_may_be_members_of_an_enum() -> None:
    class Names(StrEnum):
        KIND = "a kind"

    class Named(JobData, kind=Names.KIND, queue=Names.KIND):
        pass

    assert (type(Named.job_kind.kind), type(Named.job_kind.queue)) == (str, str)
