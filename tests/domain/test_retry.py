import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.retry import (
    DEFAULT_RETRY,
    LONGEST_S,
    Delays,
    Exponential,
    Fixed,
    Named,
    bounded,
    checked_policy,
    dump_policy,
    load_policy,
    next_delay,
)
from penstock.errors import ConfigurationError

seconds = st.floats(0, 1e9)
shares = st.floats(0, 1)
exponentials = st.builds(Exponential, seconds, st.floats(1, 1e9), seconds, shares)
fixed = st.builds(Fixed, seconds, shares)
lists = st.builds(Delays, st.lists(seconds, min_size=1, max_size=6).map(tuple))
policies = exponentials | fixed | lists | st.builds(Named, st.text(min_size=1))
attempts = st.integers(1, 10_000)


def rng() -> random.Random:
    return random.Random(4)


@given(policies)
def test_a_policy_comes_back_from_storage_as_it_was(policy):
    assert load_policy(dump_policy(policy)) == policy


def test_a_job_without_a_stored_policy_has_the_default():
    assert load_policy(None) == DEFAULT_RETRY


@pytest.mark.parametrize("stored", [{}, {"z": 1}, {"x": [1]}, {"f": 3}, {"n": 5}])
def test_an_unknown_stored_policy_is_refused(stored):
    with pytest.raises(ConfigurationError, match="unknown to this version"):
        load_policy(stored)


@given(exponentials, attempts)
def test_exponential_never_goes_beyond_its_cap_and_jitter(policy, attempt):
    assert 0 <= policy.delay(attempt, rng()) <= policy.cap * (1 + policy.jitter)


def test_exponential_grows_by_its_factor_up_to_the_cap():
    policy = Exponential(base=2, factor=3, cap=40, jitter=0)
    assert [policy.delay(attempt, rng()) for attempt in (1, 2, 3, 4, 5)] == [2, 6, 18, 40, 40]


@pytest.mark.parametrize(("base", "delay"), [(1.0, 60.0), (0.0, 0.0)])
def test_exponential_survives_the_end_of_the_floats(base, delay):
    assert Exponential(base=base, factor=10, cap=60, jitter=0).delay(10_000, rng()) == delay


@given(fixed, attempts)
def test_fixed_stays_within_its_jitter(policy, attempt):
    low, high = policy.seconds * (1 - policy.jitter), policy.seconds * (1 + policy.jitter)
    found = policy.delay(attempt, rng())
    assert low <= found <= high or found == pytest.approx(policy.seconds, rel=1e-9)


def test_jitter_spreads_the_delays():
    chance = rng()
    assert len({Fixed(10, jitter=0.5).delay(1, chance) for _ in range(20)}) == 20


def test_the_last_of_several_delays_repeats():
    assert [Delays((1, 5, 60)).delay(attempt, rng()) for attempt in (1, 2, 3, 4, 99)] == [1, 5, 60, 60, 60]


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        (Exponential, {"base": -1}),
        (Exponential, {"factor": 0.5}),
        (Exponential, {"cap": -1}),
        (Exponential, {"jitter": 1.5}),
        (Exponential, {"jitter": -0.1}),
        (Exponential, {"cap": math.inf}),
        (Exponential, {"base": math.nan}),
        (Fixed, {"seconds": -1}),
        (Fixed, {"seconds": math.inf}),
        (Fixed, {"seconds": 1, "jitter": 2}),
        (Delays, {"seconds": ()}),
        (Delays, {"seconds": (1, -1)}),
        (Delays, {"seconds": (math.nan,)}),
    ],
)
def test_values_that_make_no_sense_are_refused(policy, options):
    with pytest.raises(ConfigurationError, match=f"^{policy.__name__} needs"):
        policy(**options)


def test_only_a_policy_is_taken_for_one():
    assert checked_policy(Fixed(1)) == Fixed(1)
    with pytest.raises(ConfigurationError, match="retry must be one of Exponential, Fixed, Delays and Named, not 5"):
        checked_policy(5)


@given(policies, attempts)
def test_the_next_delay_fits_a_column_whatever_the_policy(policy, attempt):
    assert 0 <= next_delay(policy, attempt, "ValueError", rng()) <= LONGEST_S


def test_a_named_policy_asks_the_kinds_own_function():
    seen = []

    def own(attempt, error_class):
        seen.append((attempt, error_class))
        return 7.5

    assert next_delay(Named("polite"), 3, "RateLimited", rng(), {"polite": own}) == 7.5
    assert seen == [(3, "RateLimited")]


@pytest.mark.parametrize("own", [None, {}, {"other": lambda attempt, error_class: 1.0}])
def test_a_named_policy_unknown_here_falls_back_to_the_default(own):
    assert next_delay(Named("polite"), 3, "X", rng(), own) == DEFAULT_RETRY.delay(3, rng())


@pytest.mark.parametrize(
    ("given_s", "delay"), [(-1.0, 0.0), (math.nan, 0.0), (math.inf, LONGEST_S), (-math.inf, 0.0), (2.5, 2.5)]
)
def test_a_delay_is_brought_into_bounds(given_s, delay):
    assert bounded(given_s) == delay
    assert next_delay(Named("own"), 1, "X", rng(), {"own": lambda attempt, error_class: given_s}) == delay
