"""How many jobs are worth claiming while calls like theirs wait."""

import pytest

from penstock.ledger.pressure import ARRIVES_S, ROOM, TIGHT_S, Plan, Pressure, Waiting

A, B = Waiting("ask", "a"), Waiting("ask", "b")


class Clock:
    """Seconds, moved by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pressure(clock: Clock) -> Pressure:
    return Pressure(clock)


def test_nothing_is_watched_before_a_call_has_had_to_wait_or_long_after(pressure: Pressure, clock: Clock):
    pressure.goes(A, was_held=False)
    assert pressure.tight() == []
    pressure.waits(A)
    clock.now += 60
    assert pressure.tight() == ["ask"], "it still waits"
    pressure.goes(A, was_held=True)
    assert pressure.tight() == []
    pressure.waits(A)
    pressure.gives_up(A)
    clock.now += TIGHT_S - 1
    assert pressure.tight() == ["ask"]


def test_a_tenant_with_enough_waiting_is_not_claimed_for_but_another_is(pressure: Pressure):
    for _ in range(ROOM):
        pressure.waits(A)
    assert pressure.plan() == Plan(ROOM, [A])
    pressure.goes(A, was_held=True)
    assert pressure.plan().held == []


def test_what_was_just_claimed_is_on_its_way(pressure: Pressure, clock: Clock):
    pressure.waits(A)
    pressure.comes([A, A, A])
    assert pressure.plan().most == ROOM - 3
    assert pressure.look_in() == ARRIVES_S
    clock.now += 2 * ARRIVES_S
    assert pressure.plan().most == ROOM


def test_a_fast_limit_lets_more_wait(pressure: Pressure):
    pressure.waits(A)
    for _ in range(100):
        pressure.goes(A, was_held=False)
    assert pressure.plan().most == 100


def test_who_left_is_claimed_for_again_when_an_appointment_is_due_one_for_one(pressure: Pressure, clock: Clock):
    for seconds in (1, 2, 3):
        pressure.waits(A)
        pressure.leaves(A, seconds)
    pressure.waits(B)  # somebody waits: no scout
    assert pressure.plan() == Plan(ROOM, [A])
    clock.now += 2.5
    assert pressure.plan() == Plan(2, [])
    pressure.comes([A, B])
    clock.now += 2 * ARRIVES_S
    assert pressure.plan() == Plan(1, []), "b came for itself: one of the two is still to come"
    pressure.comes([A])
    clock.now += 0.01
    assert pressure.plan().held == [A]


def test_now_and_then_one_looks_whether_the_limit_has_opened_sooner(pressure: Pressure, clock: Clock):
    pressure.waits(A)
    pressure.leaves(A, 1_000)
    assert pressure.plan() == Plan(1, []), "a scout"
    pressure.comes([A])
    pressure.waits(A)
    pressure.leaves(A, 1_000)
    clock.now += 1
    assert pressure.plan() == Plan(ROOM, [A]), "not again at once"
    clock.now += 4
    assert pressure.plan() == Plan(1, [])
    pressure.comes([A])
    pressure.goes(A, was_held=False)
    clock.now += 2 * ARRIVES_S
    assert pressure.plan() == Plan(1, []), "it went: so the next one may"


def test_listeners_hear_of_room(pressure: Pressure):
    heard: list[int] = []
    stop = pressure.listen(lambda: heard.append(1))
    pressure.waits(A)
    pressure.goes(A, was_held=True)
    stop()
    pressure.waits(A)
    pressure.gives_up(A)
    assert heard == [1]
