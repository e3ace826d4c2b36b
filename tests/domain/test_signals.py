import math
from datetime import UTC, datetime, timedelta

import pytest

from penstock.domain.signals import Cancel, Permanent, Retry, Signal, Snooze

MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("signal", "text"),
    [
        (Retry(), "the handler asked for a retry"),
        (Retry("busy"), "busy"),
        (Permanent("no such source"), "no such source"),
        (Snooze(5), "the handler asked for later"),
        (Snooze(5, "night"), "night"),
        (Cancel(), "the handler cancelled its job"),
        (Cancel("withdrawn"), "withdrawn"),
    ],
    ids=repr,
)
def test_a_signal_says_why(signal, text):
    assert isinstance(signal, Signal)
    assert str(signal) == text


@pytest.mark.parametrize(
    ("after", "after_s"), [(None, None), (timedelta(minutes=2), 120.0), (2.5, 2.5), (0, 0), (timedelta(0), 0.0)]
)
def test_a_retry_comes_after_a_timedelta_or_seconds_or_by_the_policy(after, after_s):
    assert Retry(after=after).after_s == after_s


@pytest.mark.parametrize(("until", "kept"), [(MOMENT, MOMENT), (timedelta(hours=1), 3600.0), (30, 30)])
def test_a_snooze_is_until_a_moment_or_for_a_while(until, kept):
    assert Snooze(until).until == kept


def test_a_snooze_until_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="aware datetime"):
        Snooze(MOMENT.replace(tzinfo=None))


@pytest.mark.parametrize("given", [-1, timedelta(seconds=-1), math.nan, math.inf, timedelta(days=36_501)])
def test_a_time_that_cannot_be_kept_is_refused(given):
    with pytest.raises(ValueError, match=r"Retry\(after=\) must be a timedelta or seconds from 0 to 36500 days"):
        Retry(after=given)
    with pytest.raises(ValueError, match="Snooze must be a timedelta or seconds from 0 to 36500 days"):
        Snooze(given)
