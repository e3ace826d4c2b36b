"""Who goes at a limit, and who waits until when: fair between tenants, and nothing is kept for the absent."""

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.domain.admission import LOOK_AGAIN, Asking, Gatehouse, Held, Passed
from penstock.domain.limits import SECOND, Bucket, LimitKey, Rates
from penstock.domain.shares import GRACE, TURN, Shares

KEY = LimitKey("acme", "", "")
SMALL = LimitKey("acme", "small", "")
START = 1_000_000 * SECOND


def house(**rates: int) -> Gatehouse:
    return Gatehouse({KEY: Bucket(KEY, Rates(**rates))}, {})


def ask(tenant: str = "", *, tokens: int = 10, leaves: bool = False, keys: tuple[LimitKey, ...] = (KEY,)) -> Asking:
    return Asking(tenant, keys, tokens, 0, leaves)


def rounds(seconds: int) -> range:
    """The times at which those who wait ask again."""
    return range(START + LOOK_AGAIN, START + seconds * SECOND, LOOK_AGAIN)


def next_round(house_: Gatehouse) -> Gatehouse:
    """The same limits, in another transaction."""
    return Gatehouse(house_.buckets, house_.shares)


def test_what_no_limit_concerns_goes():
    [verdict] = house().admit([ask(keys=())], START)
    assert isinstance(verdict, Passed)


def test_those_held_are_expected_one_after_the_other():
    verdicts = house(requests=60).admit([ask() for _ in range(4)], START)
    assert isinstance(verdicts[0], Passed)
    waits = [verdict for verdict in verdicts if isinstance(verdict, Held)]
    spacing = 61 * SECOND // 60
    assert [wait.expected_at - START for wait in waits] == [spacing, 2 * spacing, 3 * spacing]
    assert {wait.by for wait in waits} == {"acme: 60 requests a minute"}
    assert all(START < wait.again_at <= START + SECOND // 4 for wait in waits)


def test_every_limit_on_the_way_is_passed_or_none():
    gate = Gatehouse(
        {KEY: Bucket(KEY, Rates(requests=6_000)), SMALL: Bucket(SMALL, Rates(concurrent=1), running=1)}, {}
    )
    held, free = gate.admit([ask(keys=(KEY, SMALL)), ask(keys=())], START)
    assert isinstance(held, Held)
    assert isinstance(free, Passed)
    assert gate.buckets[KEY].running == 0
    assert held.by == "acme/small: 1 calls at once"


def test_of_tenants_that_wait_the_one_goes_that_had_less():
    gate = house(requests=60)
    gate.admit([ask("a") for _ in range(5)], START)
    went = Counter[str]()
    for now in rounds(30):
        gate = next_round(gate)
        asks = [ask("a") for _ in range(50)] + [ask("b")]
        verdicts = gate.admit(asks, now)
        went.update(one.tenant for one, verdict in zip(asks, verdicts, strict=True) if isinstance(verdict, Passed))
    assert abs(went["a"] - went["b"]) <= 1


def test_shares_are_measured_in_tokens():
    gate = house(requests=60)
    gate.admit([ask("large", tokens=900), ask("large", tokens=900)], START)
    tokens = Counter[str]()
    for now in rounds(100):
        gate = next_round(gate)
        asks = [ask("large", tokens=900) for _ in range(5)] + [ask("small", tokens=100) for _ in range(5)]
        for one, verdict in zip(asks, gate.admit(asks, now), strict=True):
            if isinstance(verdict, Passed):
                tokens[one.tenant] += one.sent
    assert abs(tokens["large"] - tokens["small"]) <= 1_000


def test_a_tenant_elsewhere_that_waits_is_let_first_but_not_waited_for_when_it_is_gone():
    gate = house(requests=600)
    gate.admit([ask("a") for _ in range(20)], START)
    gate = next_round(gate)
    gate.admit([ask("a") for _ in range(5)], START + LOOK_AGAIN)  # a has had some while calls wait
    gate = next_round(gate)
    [held] = gate.admit([ask("b")], START + LOOK_AGAIN)  # in another process
    assert isinstance(held, Held)
    gate = next_round(gate)
    now = START + 2 * LOOK_AGAIN
    [kept] = gate.admit([ask("a")], now)
    assert kept == Held(now + TURN, now + TURN, "acme: 600 requests a minute")
    gate = next_round(gate)
    [passed] = gate.admit([ask("a")], held.again_at + GRACE)
    assert isinstance(passed, Passed), "b has not come"


def test_those_who_leave_have_times_of_their_own_across_transactions():
    gate, expected = house(requests=60), []
    gate.admit([ask()], START)
    for _ in range(5):
        gate = next_round(gate)
        verdicts = gate.admit([ask(leaves=True), ask(leaves=True)], START)
        expected += [verdict.expected_at for verdict in verdicts if isinstance(verdict, Held)]
    spacing = 61 * SECOND // 60
    assert len(expected) == 10
    assert min(b - a for a, b in itertools.pairwise(expected)) >= spacing


def test_a_share_without_a_past_is_forgotten():
    shares = Shares(clock=100, contested_until=START)
    shares.waits("gone", START)
    shares.waits("here", START + SECOND)
    shares.went("busy", 50)
    assert shares.idle(START + SECOND) == ["gone"]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 500)), min_size=1, max_size=60), st.integers(60, 6_000)
)
def test_nothing_that_may_go_is_kept(calls: list[tuple[str, int]], rate: int):
    """Work-conserving: whenever the limit is open and somebody asks, somebody goes."""
    gate, now, left = house(requests=rate), START, [ask(tenant, tokens=n) for tenant, n in calls]
    while left:
        gate = next_round(gate)
        opens = gate.buckets[KEY].opens_at(gate.buckets[KEY].estimate(1, 0), now)
        now = max(now, opens)
        verdicts = gate.admit(left, now)
        assert any(isinstance(verdict, Passed) for verdict in verdicts)
        left = [one for one, verdict in zip(left, verdicts, strict=True) if isinstance(verdict, Held)]
