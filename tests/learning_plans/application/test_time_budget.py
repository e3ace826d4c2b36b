from datetime import timedelta

from systems.learning_plans.application.time_budget import TimeBudget
from tests.learning_plans.application.curation_fakes import NOW, MovableClock


def budget_of(clock: MovableClock, seconds: float = 10, **more) -> TimeBudget:
    return TimeBudget(timedelta(seconds=seconds), clock.now, **more)


def test_it_is_spent_when_its_time_is_over() -> None:
    clock = MovableClock()
    budget = budget_of(clock)
    clock.advance(9.9)
    assert not budget.is_spent
    clock.advance(0.1)
    assert budget.is_spent


def test_it_stands_still_while_all_wait() -> None:
    clock = MovableClock()
    budget = budget_of(clock)
    with budget.working(), budget.working():
        with budget.waiting():
            clock.advance(4)  # the other one works
            with budget.waiting():
                clock.advance(1_000)
            clock.advance(5)
        assert not budget.is_spent
        clock.advance(1)
    assert budget.is_spent


def test_a_wait_that_ends_by_an_error_ends() -> None:
    clock = MovableClock()
    budget = budget_of(clock)
    try:
        with budget.working(), budget.waiting():
            raise OSError
    except OSError:
        clock.advance(10)
    assert budget.is_spent


def test_a_last_moment_spends_it_in_any_case() -> None:
    clock = MovableClock()
    budget = budget_of(clock, ends_by=NOW + timedelta(seconds=3))
    assert budget.seconds_to_end == 3
    with budget.working(), budget.waiting():
        clock.advance(4)
    assert budget.is_spent
    assert budget.seconds_to_end == 0
    assert budget_of(clock).seconds_to_end is None
