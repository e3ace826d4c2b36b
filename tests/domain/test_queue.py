import math
from datetime import timedelta

import pytest

from penstock.domain.queue import Queue, Retention
from penstock.domain.rates import Rate
from penstock.errors import ConfigurationError


def test_a_plain_queue_is_strict_waits_for_unknown_kinds_and_counts_nobody_else():
    queue = Queue()
    assert (queue.concurrency, queue.weight, queue.unknown_kinds) == (10, 1, "wait")
    assert queue.aging_step is None
    assert not queue.gated


@pytest.mark.parametrize("options", [{"rate": Rate(1)}, {"total_concurrency": 5}], ids=str)
def test_a_rate_or_a_total_must_be_counted_across_workers(options):
    assert Queue(**options).gated


def test_aging_is_told_in_seconds_and_kept_in_microseconds():
    assert Queue(aging=1.5).aging_step == 1_500_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("concurrency", 0),
        ("concurrency", 100_001),
        ("concurrency", None),
        ("concurrency", 2.0),
        ("concurrency", True),
        ("total_concurrency", 0),
        ("total_concurrency", 1_000_001),
        ("weight", 0),
        ("weight", 101),
        ("weight", None),
        ("max_length", 0),
        ("max_length", "10"),
        ("timeout", 0),
        ("timeout", timedelta(seconds=-1)),
        ("timeout", math.nan),
        ("timeout", "5"),
        ("aging", 0),
        ("aging", -1.0),
        ("aging", 1e-7),
        ("aging", 1e10),
        ("unknown_kinds", "drop"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(field, value):
    with pytest.raises(ConfigurationError, match=rf"^Queue\.{field} must be"):
        Queue(**{field: value})


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 100_000, "total_concurrency": 1_000_000, "weight": 100, "max_length": 10**12},
        {"timeout": timedelta(minutes=5), "unknown_kinds": "fail", "aging": 60},
        {"total_concurrency": None, "max_length": None, "timeout": 0.5},
    ],
    ids=str,
)
def test_values_at_their_bounds_are_taken(options):
    queue = Queue(**options)
    assert {name: getattr(queue, name) for name in options} == options


def test_nothing_and_zero_are_bounds_of_retention():
    kept = Retention(completed=timedelta(0), failed=None, max_completed=0, max_bytes=10**15)
    assert (kept.completed, kept.failed, kept.max_completed, kept.max_bytes) == (timedelta(0), None, 0, 10**15)


@pytest.mark.parametrize("field", ["completed", "failed", "cancelled"])
@pytest.mark.parametrize("value", [timedelta(seconds=-1), 3600])
def test_a_bad_age_of_retention_is_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^Retention\.{field} must be a timedelta"):
        Retention(**{field: value})


@pytest.mark.parametrize("field", ["max_completed", "max_failed", "max_cancelled", "max_bytes"])
@pytest.mark.parametrize("value", [-1, 1.5, 10**15 + 1])
def test_a_bad_count_of_retention_is_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^Retention\.{field} must be an integer from 0"):
        Retention(**{field: value})
