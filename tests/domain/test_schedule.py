from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.options import micros, moment_of
from penstock.domain.schedule import MAX_CATCH_UP, Missed, Schedule
from penstock.errors import ConfigurationError

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = "0 0 */31 2 MON#5"
"""The first of February as the fifth Monday of its month."""


def at(text: str) -> int:
    """µs of "2026-03-29 01:00" in UTC."""
    return micros("at", datetime.fromisoformat(text).replace(tzinfo=UTC))


def ticks(schedule: Schedule, after: str, until: str) -> list[str]:
    """The ticks in a span as "29 01:00" in UTC."""
    found, tick = [], schedule.next_after(at(after))
    while tick is not None and tick <= at(until):
        found.append(moment_of(tick).strftime("%d %H:%M"))
        tick = schedule.next_after(tick)
    return found


def test_a_cron_line_ticks_in_its_time_zone():
    assert ticks(Schedule(cron="30 9 * * 1-5"), "2026-05-01 00:00", "2026-05-05 23:00") == [
        "01 09:30",
        "04 09:30",
        "05 09:30",
    ]
    assert ticks(Schedule(cron="30 9 * * *", tz=BERLIN), "2026-05-01 00:00", "2026-05-02 00:00") == ["01 07:30"]
    assert ticks(Schedule(cron="30 9 * * *", tz=NEW_YORK), "2026-05-01 00:00", "2026-05-02 00:00") == ["01 13:30"]


@pytest.mark.parametrize(
    ("cron", "tz", "after", "until", "expected"),
    [
        # Spring: a fixed time inside the gap runs right after it, once; others keep their local time.
        ("30 2 * * *", BERLIN, "2026-03-28 12:00", "2026-03-30 12:00", ["29 01:00", "30 00:30"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07 12:00", "2026-03-09 12:00", ["08 07:00", "09 06:30"]),
        ("30 9 * * *", BERLIN, "2026-03-28 00:00", "2026-03-29 12:00", ["28 08:30", "29 07:30"]),
        ("30 9 * * *", NEW_YORK, "2026-03-07 00:00", "2026-03-08 14:00", ["07 14:30", "08 13:30"]),
        # Autumn: a fixed time in the doubled hour runs once, the first time.
        ("30 2 * * *", BERLIN, "2026-10-24 12:00", "2026-10-26 12:00", ["25 00:30", "26 01:30"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31 12:00", "2026-11-02 12:00", ["01 05:30", "02 06:30"]),
        # With a star in the minute or the hour time simply goes on, in every hour there is.
        (
            "30 * * * *",
            BERLIN,
            "2026-03-28 23:00",
            "2026-03-29 03:00",
            ["28 23:30", "29 00:30", "29 01:30", "29 02:30"],
        ),
        (
            "30 * * * *",
            BERLIN,
            "2026-10-24 23:00",
            "2026-10-25 03:00",
            ["24 23:30", "25 00:30", "25 01:30", "25 02:30"],
        ),
        ("30 * * * *", NEW_YORK, "2026-03-08 05:00", "2026-03-08 08:00", ["08 05:30", "08 06:30", "08 07:30"]),
        ("30 * * * *", NEW_YORK, "2026-11-01 04:00", "2026-11-01 07:00", ["01 04:30", "01 05:30", "01 06:30"]),
    ],
)
def test_daylight_saving_both_ways(cron, tz, after, until, expected):
    assert ticks(Schedule(cron=cron, tz=tz), after, until) == expected


@pytest.mark.parametrize("cron", ["*/15 * * * *", "7 * * * *", "0 3 * * *"])
@pytest.mark.parametrize("tz", ["UTC", BERLIN, NEW_YORK])
@given(minutes=st.integers(0, 366 * 24 * 60), offset=st.integers(0, MINUTE - 1))
def test_the_next_tick_is_later_and_the_last_tick_is_not(cron, tz, minutes, offset):
    schedule, time = Schedule(cron=cron, tz=tz), at("2026-01-01 00:00") + minutes * MINUTE + offset
    following, last = schedule.next_after(time), schedule.last_until(time)
    assert following is not None
    assert last <= time < following
    assert schedule.next_after(last) == following


@pytest.mark.parametrize(
    ("cron", "tz", "time"),
    [("30 2 * * *", BERLIN, "2026-10-25 01:15"), ("30 1 * * *", NEW_YORK, "2026-11-01 06:15")],
)
def test_in_the_second_pass_of_a_doubled_hour_the_next_tick_is_later_too(cron, tz, time):
    following = Schedule(cron=cron, tz=tz).next_after(at(time))
    assert following is not None
    assert following > at(time)


def test_a_cron_line_that_never_fires_has_no_next_tick():
    assert Schedule(cron=NEVER).next_after(at("2026-01-01 00:00")) is None


@given(st.integers(1, 10 * 24 * 3600), st.integers(0, 4_000_000_000_000_000))
def test_an_interval_is_aligned_so_that_every_process_finds_the_same_ticks(seconds, time):
    schedule, step = Schedule(every=timedelta(seconds=seconds)), seconds * 1_000_000
    following, last = schedule.next_after(time), schedule.last_until(time)
    assert last <= time < last + step == following
    assert last % step == 0
    assert schedule.next_after(last) == following


def test_the_last_tick_of_a_rare_line_is_found_years_back():
    assert Schedule(cron="0 0 29 2 *").last_until(at("2027-12-31 00:00")) == at("2024-02-29 00:00")


@pytest.mark.parametrize("missed", list(Missed))
def test_nothing_is_due_before_its_time(missed):
    assert Schedule(every=timedelta(hours=1), missed=missed).due(HOUR, HOUR - 1) == ([], HOUR)


@pytest.mark.parametrize("missed", list(Missed))
def test_a_tick_whose_time_has_come_is_due(missed):
    hourly = Schedule(cron="0 * * * *", missed=missed)
    assert hourly.due(HOUR, HOUR) == ([HOUR], 2 * HOUR)
    assert hourly.due(HOUR, HOUR + MINUTE) == ([HOUR], 2 * HOUR)


@pytest.mark.parametrize(
    ("missed", "expected"),
    [(Missed.LATEST, [5 * HOUR]), (Missed.ALL, [2 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR]), (Missed.SKIP, [])],
)
@pytest.mark.parametrize("options", [{"cron": "0 * * * *"}, {"every": timedelta(hours=1)}], ids=["cron", "every"])
def test_what_becomes_of_missed_ticks(options, missed, expected):
    now = 5 * HOUR + 2 * MINUTE
    assert Schedule(**options, missed=missed).due(2 * HOUR, now) == (expected, 6 * HOUR)


def test_skipping_still_runs_a_tick_of_just_now_after_missed_ones():
    assert Schedule(cron="0 * * * *", missed=Missed.SKIP).due(2 * HOUR, 5 * HOUR + MINUTE) == ([5 * HOUR], 6 * HOUR)


@pytest.mark.parametrize("missed", [Missed.LATEST, Missed.SKIP])
def test_a_year_behind_costs_one_tick_at_most(missed):
    now = 365 * DAY
    assert Schedule(cron="* * * * *", missed=missed).due(MINUTE, now) == ([now], now + MINUTE)


def test_catching_up_on_all_goes_in_bounded_rounds_and_loses_none():
    every_minute = Schedule(cron="* * * * *", missed=Missed.ALL)
    now = (MAX_CATCH_UP + 5) * MINUTE
    first, between = every_minute.due(MINUTE, now)
    assert len(first) == MAX_CATCH_UP
    assert between is not None
    second, next_at = every_minute.due(between, now)
    assert first + second == [n * MINUTE for n in range(1, MAX_CATCH_UP + 6)]
    assert next_at == now + MINUTE


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "either cron= or every="),
        ({"cron": "* * * * *", "every": timedelta(hours=1)}, "either cron= or every="),
        ({"every": timedelta(milliseconds=999)}, r"Schedule\.every must be at least one second"),
        ({"cron": "61 * * * *"}, r"Schedule\.cron '61 \* \* \* \*': Bad minute"),
        ({"cron": "daily"}, r"Schedule\.cron 'daily'"),
        ({"cron": "* * * * *", "tz": "Europe/Atlantis"}, r"Schedule\.tz 'Europe/Atlantis' is not a time zone"),
        ({"cron": "* * * * *", "tz": "../etc/passwd"}, r"Schedule\.tz '\.\./etc/passwd' is not a time zone"),
    ],
    ids=str,
)
def test_a_bad_schedule_is_refused_by_the_name_of_its_field(options, text):
    with pytest.raises(ConfigurationError, match=text):
        Schedule(**options)
