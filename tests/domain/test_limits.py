"""What a provider allows: rates by windows, estimates that are settled, calls at once."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.domain.limits import MINUTE, SECOND, Bucket, LimitKey, ModelLimit, Rates, Tokens, keys_of
from penstock.errors import ConfigurationError

KEY = LimitKey("acme", "", "")
START = 1_000_000 * SECOND


def most_in_a_minute(went: list[tuple[int, int]]) -> int:
    """The most that went in any minute; (time µs, how much) in order."""
    window: deque[tuple[int, int]] = deque()
    most = total = 0
    for at, n in went:
        window.append((at, n))
        total += n
        while at - window[0][0] >= 60 * SECOND:
            total -= window.popleft()[1]
        most = max(most, total)
    return most


def run(bucket: Bucket, calls: list[tuple[int, Tokens]]) -> list[int]:
    """When each call goes that asks so long (µs) after the one before it asked."""
    now, asked, went = START, START, []
    for pause, tokens in calls:
        asked += pause
        now = max(now, asked)
        now = bucket.opens_at(tokens, now)
        assert bucket.opens_at(tokens, now) == now
        bucket.take(tokens, now)
        bucket.running -= 1
        went.append(now)
    return went


@settings(deadline=None)
@given(st.integers(1, 3_000), st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=400))
def test_no_minute_holds_more_requests_than_the_rate(rate: int, pauses: list[int]):
    went = run(Bucket(KEY, Rates(requests=rate)), [(pause, Tokens(1, 1)) for pause in pauses])
    assert most_in_a_minute([(at, 1) for at in went]) <= rate


@settings(deadline=None)
@given(
    st.integers(100, 100_000),
    st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 5_000)), min_size=1, max_size=300),
)
def test_no_minute_holds_more_tokens_than_the_rate_and_one_call(rate: int, calls: list[tuple[int, int]]):
    went = run(Bucket(KEY, Rates(input_tokens=rate)), [(pause, Tokens(n, 0)) for pause, n in calls])
    largest = max(n for _, n in calls)
    assert most_in_a_minute([(at, n) for at, (_, n) in zip(went, calls, strict=True)]) <= rate + largest


@settings(deadline=None)
@given(st.integers(1, 600))
def test_what_always_asks_uses_almost_all_of_the_rate(rate: int):
    went = run(Bucket(KEY, Rates(requests=rate)), [(0, Tokens(1, 1))] * (3 * rate))
    assert went[-1] - START <= 3 * MINUTE


def test_a_second_s_worth_may_come_at_once():
    bucket = Bucket(KEY, Rates(requests=610))
    went = run(bucket, [(0, Tokens(1, 1))] * 12)
    assert went[:10] == [START] * 10
    assert went[10] == START + SECOND // 10


def test_a_call_that_is_worth_more_than_a_second_goes_when_all_before_it_is_paid_for():
    bucket = Bucket(KEY, Rates(input_tokens=6_100))
    assert run(bucket, [(0, Tokens(1_000, 0))] * 2) == [START, START + 10 * SECOND]


def test_true_use_takes_the_place_of_the_estimate():
    bucket = Bucket(KEY, Rates(input_tokens=6_100, output_tokens=6_100))
    estimate = bucket.estimate(1_000, 4_000)
    assert estimate == Tokens(1_000, 1_000), "nothing is known of answers yet"
    bucket.take(estimate, START)
    assert bucket.opens_at(estimate, START) == START + 10 * SECOND
    bucket.settle(estimate, Tokens(500, 100))
    assert bucket.opens_at(estimate, START) == START + 5 * SECOND
    assert bucket.estimate(1, None) == Tokens(1, 100)
    bucket.settle(Tokens(0, 0), Tokens(1_000, 0))
    assert bucket.opens_at(estimate, START) == START + 15 * SECOND, "more than was thought is a debt"


def test_calls_at_once_are_bounded():
    bucket = Bucket(KEY, Rates(concurrent=2))
    for _ in range(2):
        assert bucket.opens_at(Tokens(1, 1), START) == START
        bucket.take(Tokens(1, 1), START)
    assert bucket.opens_at(Tokens(1, 1), START) > START
    bucket.running -= 1
    assert bucket.opens_at(Tokens(1, 1), START) == START


def test_what_was_not_made_is_given_back():
    bucket = Bucket(KEY, Rates(requests=1, input_tokens=10))
    bucket.take(Tokens(10, 0), START)
    bucket.unspend(Tokens(10, 0))
    assert bucket.opens_at(Tokens(10, 0), START) == START


def test_a_provider_s_word_counts_where_it_is_stricter():
    bucket = Bucket(KEY, Rates(requests=600), told=Rates(requests=60, input_tokens=5))
    assert bucket.allowed == Rates(requests=60)
    bucket.told = Rates(requests=6_000)
    assert bucket.allowed == Rates(requests=600)
    bucket.held_until = START + SECOND
    assert bucket.opens_at(Tokens(1, 1), START) == START + SECOND
    assert bucket.described() == "acme: 600 requests a minute"


def test_a_call_passes_the_limits_of_its_model_and_of_its_provider():
    limits = [
        ModelLimit("acme", requests=100),
        ModelLimit("acme", "small", requests=10, concurrent=2),
        ModelLimit("acme", "small", requests=50, input_tokens=7),
        ModelLimit("other", requests=1),
    ]
    assert keys_of(limits, "acme", "small", "k") == {
        LimitKey("acme", "", "k"): Rates(requests=100),
        LimitKey("acme", "small", "k"): Rates(requests=10, input_tokens=7, concurrent=2),
    }
    assert keys_of(limits, "acme", "large", "k") == {LimitKey("acme", "", "k"): Rates(requests=100)}
    assert keys_of(limits, "third", "large", "k") == {}


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({"provider": "", "requests": 1}, "ModelLimit.provider"),
        ({"provider": "acme", "model": "", "requests": 1}, "ModelLimit.model"),
        ({"provider": "acme", "requests": 0}, "ModelLimit.requests"),
        ({"provider": "acme", "input_tokens": 1.5}, "ModelLimit.input_tokens"),
        ({"provider": "acme", "concurrent": True}, "ModelLimit.concurrent"),
        ({"provider": "acme"}, "limits nothing"),
    ],
)
def test_a_wrong_limit_is_named(given_, named):
    with pytest.raises(ConfigurationError, match=named):
        ModelLimit(**given_)
