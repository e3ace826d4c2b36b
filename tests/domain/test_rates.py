import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.rates import Rate, allowance, record
from penstock.errors import ConfigurationError

NOW = 1_800_000_000_000_000
PERIOD = 1_000_000
WIDTH = PERIOD // 50
requests = st.lists(st.tuples(st.integers(0, PERIOD // 3), st.integers(0, 6)), min_size=1, max_size=60)


def run(rate: Rate, demands: list[tuple[int, int]]):
    """The starts (time, number) that the rate lets through, and what it refused: (time, known until then, next)."""
    now, refused = NOW, []
    memory: list[tuple[int, int]] = []
    begun: list[tuple[int, int]] = []
    for gap, wanted in demands:
        now += gap
        allowed, next_at = allowance(rate, memory, now)
        if wanted > allowed:
            refused.append((now, allowed, list(begun), next_at, memory))
        number = min(wanted, allowed)
        if number:
            memory = record(rate, memory, now, number)
            begun.append((now, number))
    return begun, refused, memory


@given(st.integers(1, 8), requests)
def test_no_window_of_the_period_ever_holds_more_starts_than_the_limit(limit, demands):
    begun, _, _ = run(Rate(limit, 1.0), demands)
    for first, _ in begun:
        assert sum(number for at, number in begun if first <= at < first + PERIOD) <= limit


@given(st.integers(1, 8), requests)
def test_a_start_is_refused_only_when_the_period_and_one_bin_have_used_the_limit_up(limit, demands):
    _, refused, _ = run(Rate(limit, 1.0), demands)
    for now, allowed, before, _, _ in refused:
        recent = sum(number for at, number in before if at > now - PERIOD - WIDTH)
        assert recent + allowed >= limit


@given(st.integers(1, 8), requests)
def test_the_time_named_for_the_next_start_is_the_first_that_has_room(limit, demands):
    rate = Rate(limit, 1.0)
    _, refused, _ = run(rate, demands)
    for now, allowed, _, next_at, memory in refused:
        if allowed:
            assert next_at is None
        else:
            assert now < next_at <= now + PERIOD + WIDTH
            assert allowance(rate, memory, next_at)[0] > 0
            assert allowance(rate, memory, next_at - 1)[0] == 0


@given(st.integers(1, 1_000_000), requests)
def test_the_memory_of_a_rate_is_bounded(limit, demands):
    _, _, memory = run(Rate(limit, 1.0), demands * 20)
    assert len(memory) <= 51
    assert [end for end, _ in memory] == sorted({end for end, _ in memory})


def test_starts_of_the_same_moment_share_a_bin_and_old_ones_are_forgotten():
    rate = Rate(100, 1.0)
    memory = record(rate, record(rate, [], NOW, 3), NOW + 1, 4)
    assert memory == [(NOW + WIDTH, 7)]
    assert record(rate, memory, NOW + 3 * PERIOD, 1) == [(NOW + 3 * PERIOD + WIDTH, 1)]


def test_a_rate_nobody_used_gives_its_whole_limit():
    assert allowance(Rate(5), [], NOW) == (5, None)


@pytest.mark.parametrize(("per", "period_us"), [(timedelta(minutes=1), 60_000_000), (0.5, 500_000), (2, 2_000_000)])
def test_a_period_is_a_timedelta_or_seconds(per, period_us):
    assert Rate(1, per).period_us == period_us


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "5", None])
def test_a_limit_that_is_no_count_is_refused(limit):
    with pytest.raises(ConfigurationError, match=r"Rate\.limit must be an integer from 1"):
        Rate(limit)


@pytest.mark.parametrize("per", [0, -1.0, timedelta(0), math.inf, math.nan, "1", 0.000049, timedelta(microseconds=49)])
def test_a_period_that_is_none_is_refused(per):
    with pytest.raises(ConfigurationError, match=r"Rate\.per must be"):
        Rate(1, per)
