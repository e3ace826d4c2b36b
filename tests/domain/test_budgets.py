"""Whose calls count in which budget and window, and when these turn."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.budgets import Budget, Rule, Used, rules_for, window_at
from penstock.domain.calls import CallScope
from penstock.domain.money import billionths, dollars, shown
from penstock.domain.options import micros, moment_of
from penstock.errors import ConfigurationError

NOW = micros("now", datetime(2026, 1, 5, 12, tzinfo=UTC))
CENT = 10_000_000


def scope(tenant: str | None = "acme", kind: str = "plan", flow: str | None = "f1") -> CallScope:
    return CallScope("j1", 1, 1, kind, tenant, flow)


def local(*when: int, tz: str) -> int:
    return micros("local", datetime(*when, tzinfo=ZoneInfo(tz)))  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("per", "tz", "at", "start", "end"),
    [
        ("day", "UTC", (2026, 1, 5, 12), (2026, 1, 5), (2026, 1, 6)),
        ("day", "UTC", (2026, 1, 5, 0), (2026, 1, 5), (2026, 1, 6)),
        ("month", "UTC", (2026, 1, 31, 23), (2026, 1, 1), (2026, 2, 1)),
        ("month", "UTC", (2026, 2, 28), (2026, 2, 1), (2026, 3, 1)),
        ("month", "UTC", (2028, 2, 29), (2028, 2, 1), (2028, 3, 1)),
        ("month", "UTC", (2026, 4, 30), (2026, 4, 1), (2026, 5, 1)),
        ("month", "UTC", (2026, 12, 31, 23), (2026, 12, 1), (2027, 1, 1)),
        ("day", "Asia/Kolkata", (2026, 1, 5, 3), (2026, 1, 5), (2026, 1, 6)),
        ("day", "Europe/Berlin", (2026, 3, 29, 12), (2026, 3, 29), (2026, 3, 30)),
        ("day", "Europe/Berlin", (2026, 10, 25, 12), (2026, 10, 25), (2026, 10, 26)),
        ("month", "America/New_York", (2026, 3, 20), (2026, 3, 1), (2026, 4, 1)),
    ],
)
def test_windows_are_local_days_and_months(per, tz, at, start, end):
    assert window_at(per, tz, local(*at, tz=tz)) == (local(*start, tz=tz), local(*end, tz=tz))


def hours(tz: str, *day: int) -> float:
    start, end = window_at("day", tz, local(*day, 12, tz=tz))
    return (end - start) / 3_600_000_000


def test_a_day_is_as_long_as_daylight_saving_makes_it():
    assert hours("Europe/Berlin", 2026, 3, 29) == 23
    assert hours("Europe/Berlin", 2026, 10, 25) == 25
    assert hours("Australia/Lord_Howe", 2026, 4, 5) == 24.5


def test_a_midnight_that_does_not_exist_is_the_moment_of_the_change():
    # In Beirut clocks went from 24:00 to 1:00 on 30 March 2025.
    start, _ = window_at("day", "Asia/Beirut", local(2025, 3, 30, 12, tz="Asia/Beirut"))
    assert moment_of(start) == datetime(2025, 3, 29, 22, tzinfo=UTC)
    assert hours("Asia/Beirut", 2025, 3, 30) == 23
    assert hours("Asia/Beirut", 2025, 3, 29) == 24


def test_a_midnight_that_comes_twice_counts_the_first_time():
    # In Havana clocks go from 1:00 back to 0:00 on 1 November 2026.
    assert hours("America/Havana", 2026, 11, 1) == 25
    start, _ = window_at("day", "America/Havana", local(2026, 11, 1, 12, tz="America/Havana"))
    assert moment_of(start) == datetime(2026, 11, 1, 4, tzinfo=UTC)


@given(
    st.sampled_from(["day", "month"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Beirut", "America/Havana", "Pacific/Apia", "Asia/Kathmandu"]),
    st.integers(946_684_800_000_000, 2_208_988_800_000_000),
)
def test_every_moment_is_in_its_window_and_windows_follow_each_other(per, tz, now):
    start, end = window_at(per, tz, now)
    assert start <= now < end
    assert window_at(per, tz, end)[0] == end
    assert window_at(per, tz, end - 1) == (start, end)


def rule(name: str = "b", **fields) -> Rule:
    return Budget(name, dollars=1, **fields).rule


@pytest.mark.parametrize(
    ("fields", "scope", "whose"),
    [
        ({}, None, ""),
        ({}, scope(), ""),
        ({"tenant": "*"}, scope(), "tenant acme"),
        ({"tenant": "acme"}, scope(), "tenant acme"),
        ({"tenant": "acme"}, scope("bolt"), None),
        ({"tenant": "*"}, scope(None), None),
        ({"tenant": "*"}, None, None),
        ({"kind": "plan"}, scope(), "kind plan"),
        ({"kind": "other"}, scope(), None),
        ({"flow": "*"}, scope(), "flow f1"),
        ({"flow": "*"}, scope(flow=None), None),
        ({"tenant": "*", "kind": "*", "flow": "*"}, scope(), "tenant acme, kind plan, flow f1"),
    ],
)
def test_whose_calls_count(fields, scope, whose):
    key = rule(**fields).key(scope, NOW)
    assert (None if key is None else key.whose) == whose


def names(*rules: Rule, of: CallScope | None = None) -> set[str]:
    return {key.budget for key in rules_for(rules, of or scope(), NOW)}


def test_a_named_tenants_budget_takes_the_place_of_everyones():
    each, acme = rule("each", tenant="*", per="day"), rule("acme", tenant="acme", per="day")
    assert names(each, acme) == {"acme"}
    assert names(each, acme, of=scope("bolt")) == {"each"}
    assert names(each, rule("month", tenant="acme", per="month")) == {"each", "month"}
    assert names(each, rule("kind", tenant="acme", kind="plan", per="day")) == {"each", "kind"}
    assert names(each, rule("all", per="day")) == {"each", "all"}
    both = rule("both", tenant="*", kind="*", per="day")
    assert names(both, rule("one", tenant="acme", kind="*", per="day")) == {"one"}
    assert names(both, rule("plans", tenant="acme", kind="plan", per="day")) == {"plans"}


def test_a_changed_amount_keeps_its_windows_and_a_changed_scope_has_others():
    key = rule(per="day").key(scope(), NOW)
    assert Budget("b", dollars=5, per="day", warn_at=None).rule.key(scope(), NOW) == key
    for other in ({"tz": "Asia/Tokyo"}, {"tenant": "*"}, {"kind": "plan"}):
        assert rule(per="day", **other).key(scope(), NOW) != key
    assert Budget("b", tokens=1, per="day").rule.key(scope(), NOW) != key


def test_a_stored_window_knows_its_rule():
    one = rule(tenant="a/b", flow="*", per="month", tz="Europe/Berlin")
    assert Rule.of("b", one.shape, one.amount, one.warn_at) == one


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "needs either dollars= or tokens="),
        ({"dollars": 1, "tokens": 1}, "needs either dollars= or tokens="),
        ({"dollars": -1}, "dollars must be 0 to 1,000,000,000, not -1"),
        ({"dollars": "much"}, "dollars must be"),
        ({"dollars": True}, "dollars must be"),
        ({"dollars": float("nan")}, "dollars must be"),
        ({"dollars": float("inf")}, "dollars must be"),
        ({"tokens": 1.5}, "tokens must be a whole number, 0 or more, not 1.5"),
        ({"tokens": -1}, "tokens must be"),
        ({"dollars": 1, "per": "week"}, "per must be 'day', 'month' or None"),
        ({"dollars": 1, "tz": "Mars/Base"}, "tz 'Mars/Base' is not a time zone"),
        ({"dollars": 1, "tz": "../etc/passwd"}, "is not a time zone"),
        ({"dollars": 1, "flow": "f1"}, r"flow must be '\*'"),
        ({"dollars": 1, "warn_at": 1}, "warn_at must be a share between 0 and 1"),
        ({"dollars": 1, "tenant": "a,b"}, "tenant must be 1 to 200 printable characters"),
        ({"dollars": 1, "kind": ""}, "kind must be 1 to 200 printable characters"),
    ],
)
def test_what_cannot_be_right_is_refused(fields, words):
    with pytest.raises(ConfigurationError, match=words):
        Budget("team", **fields)


def test_a_name_is_needed():
    with pytest.raises(ConfigurationError, match="Budget name must be 1 to 200"):
        Budget("", dollars=1)


def test_money_is_exact():
    assert [Budget("b", dollars=one).rule.amount for one in (0.1, "0.1", Decimal("0.1"))] == [10 * CENT] * 3
    assert billionths("0.0000000001") == 1, "what is less than can be kept is not nothing"
    assert dollars(billionths("1234.567") or 0) == Decimal("1234.567")
    assert [shown(n) for n in (0, 4_500, CENT, 5 * 10**9, 12_345 * 10**8)] == [
        "$0.00",
        "$0.0000045",
        "$0.0100",
        "$5.00",
        "$1,234.50",
    ]


@pytest.mark.parametrize(
    ("used", "counts"),
    [
        (Used("answered", 10, 3), 3),
        (Used("answered", 10, None), 7),
        (Used("timeout", None, None), 7),
        (Used("cancelled", None, None), 7),
        (Used("unknown", 10, 3), 7),
        (Used("rate_limit", None, None), 0),
        (Used("provider_error", None, None), 0),
        (Used("content_filter", 10, 3), 3),
    ],
)
def test_what_a_call_counts_as(used, counts):
    assert used.counts("dollars", 7) == counts


def test_windows_do_not_care_for_the_length_of_a_year():
    start, end = window_at("month", "UTC", micros("now", datetime(2026, 2, 1, tzinfo=UTC)))
    assert moment_of(end) - moment_of(start) == timedelta(days=28)
