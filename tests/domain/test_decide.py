import math
import random
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from penstock.domain.order import position
from penstock.domain.outcomes import (
    MAX_LOSSES,
    Cancelled,
    Completed,
    ErrorRecord,
    Failed,
    Lost,
    Outcome,
    Released,
    RunFacts,
    Settlement,
    Snoozed,
    TimedOut,
    decide,
)
from penstock.domain.retry import LONGEST_S, Exponential, Fixed, Named
from penstock.domain.states import TRANSITIONS, JobState, Way

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
PLACE = 12_345
ERROR = ErrorRecord("ValueError", "no such topic", "Traceback …")
OUTCOMES: tuple[Outcome, ...] = (
    Completed(b"{}"),
    Failed(ERROR),
    Failed(ERROR, permanent=True),
    Failed(ERROR, by_handler=False),
    Failed(ERROR, after_s=0),
    Failed(ERROR, after_s=90.0),
    TimedOut(2.5),
    Snoozed(NOW + 5, "later"),
    Cancelled("withdrawn"),
    Cancelled("not needed", by_handler=True),
    Released("the worker stops"),
    Lost("w1", started=True),
    Lost("w1", started=False),
)
WORLDS = list(product((0, 1, 2, 4), (0, 1, 2, 8), (1, 2, 5), (None, NOW - 1, NOW + 10 * SECOND, NOW + 3600 * SECOND)))


def facts(**options: Any) -> RunFacts:
    usual = {
        "level": 10,
        "attempts_before": 0,
        "losses_before": 0,
        "max_attempts": 5,
        "retry": Fixed(30),
        "position": PLACE,
    }
    return RunFacts(**{**usual, **options})


def settle(outcome: Outcome, **options: Any) -> Settlement:
    return decide(outcome, facts(**options), NOW, random.Random(1))


def fails_a_run(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed | TimedOut) or (isinstance(outcome, Lost) and outcome.started)


def expected_way(outcome: Outcome, attempt: int, max_attempts: int, deadline: int | None) -> Way:
    """The rules in plain words; `attempt` is the count after this run."""
    match outcome:
        case Completed():
            return Way.COMPLETE
        case Snoozed():
            return Way.SNOOZE
        case Cancelled():
            return Way.STOP
        case Released():
            return Way.RELEASE
        case Lost(started=False):
            return Way.RETRY_NOW
    after_s = outcome.after_s if isinstance(outcome, Failed) and outcome.after_s is not None else 30
    permanent = isinstance(outcome, Failed) and outcome.permanent
    too_late = deadline is not None and NOW + after_s * SECOND >= deadline
    if permanent or attempt >= max_attempts or too_late:
        return Way.FAIL
    return Way.RETRY_LATER if after_s else Way.RETRY_NOW


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_every_outcome_in_every_world_settles_as_the_rules_say(outcome):
    for attempts, losses, max_attempts, deadline in WORLDS:
        found = settle(
            outcome, attempts_before=attempts, losses_before=losses, max_attempts=max_attempts, deadline=deadline
        )
        told = (attempts, losses, max_attempts, deadline, found)
        counted = fails_a_run(outcome) or isinstance(outcome, Completed)
        assert found.attempt == attempts + counted, told
        assert found.losses == losses + isinstance(outcome, Lost), told
        assert found.way is expected_way(outcome, found.attempt, max_attempts, deadline), told
        assert (found.due_at is not None) == (found.state is JobState.SCHEDULED), told
        again = found.way in (Way.RETRY_LATER, Way.RETRY_NOW)
        assert found.solo == (again and found.losses >= 2), told
        assert (found.error is not None) == (again or found.way is Way.FAIL), told


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_every_settlement_is_a_legal_transition_of_a_running_job(outcome):
    legal = {(t.way, t.target) for t in TRANSITIONS if t.source is JobState.RUNNING}
    for attempts, losses, max_attempts, deadline in WORLDS:
        found = settle(
            outcome, attempts_before=attempts, losses_before=losses, max_attempts=max_attempts, deadline=deadline
        )
        assert (found.way, found.state) in legal


@pytest.mark.parametrize(
    ("outcome", "unfinished"),
    [
        (Completed(), False),
        (Failed(ERROR, permanent=True), False),
        (Failed(ERROR, permanent=True, by_handler=False), True),
        (Failed(ERROR), False),
        (TimedOut(60), True),
        (Lost("w1", started=True), True),
        (Cancelled("withdrawn"), True),
        (Cancelled("not needed", by_handler=True), False),
    ],
    ids=repr,
)
def test_a_job_is_unfinished_when_it_ended_without_its_handlers_say(outcome, unfinished):
    assert settle(outcome, max_attempts=1).unfinished is unfinished


@pytest.mark.parametrize("outcome", [*(o for o in OUTCOMES if fails_a_run(o)), Lost("w1", started=False)], ids=repr)
def test_a_job_that_goes_on_is_not_unfinished(outcome):
    found = settle(outcome, max_attempts=10)
    assert found.unfinished is (found.way is Way.FAIL and not isinstance(outcome, Failed))


@pytest.mark.parametrize("by_handler", [True, False])
def test_a_retry_that_would_come_at_its_deadline_or_later_fails_and_says_so(by_handler):
    outcome = Failed(ERROR, by_handler=by_handler)
    assert settle(outcome, deadline=NOW + 30 * SECOND + 1).way is Way.RETRY_LATER
    found = settle(outcome, deadline=NOW + 30 * SECOND)
    assert found.way is Way.FAIL
    assert found.error == ErrorRecord("ValueError", "no such topic (no retry: its deadline comes first)", "Traceback …")
    assert found.reason == found.error.message
    assert found.unfinished is not by_handler


def test_the_result_and_the_reasons_are_kept():
    assert settle(Completed(b'{"a":1}')).result == b'{"a":1}'
    assert settle(Snoozed(NOW + 5, "night")).reason == "night"
    assert settle(Cancelled("withdrawn")).reason == "withdrawn"
    assert settle(Released("stops")).reason == "stops"
    failed = settle(Failed(ERROR, permanent=True))
    assert (failed.reason, failed.error) == ("no such topic", ERROR)


def test_a_timeout_and_a_loss_are_told_as_errors():
    assert settle(TimedOut(2.5)).error == ErrorRecord("TimeoutError", "stopped after its timeout of 2.5 s")
    assert settle(Lost("w1", started=True), losses_before=1).error == ErrorRecord(
        "WorkerLost", "worker w1 was lost while it held this job (loss 2)"
    )


@pytest.mark.parametrize(("until", "due_at"), [(NOW + 5, NOW + 5), (NOW - 5, NOW)])
def test_a_snooze_is_never_into_the_past(until, due_at):
    assert settle(Snoozed(until, "")).due_at == due_at


def test_a_job_given_back_keeps_its_place_and_one_retried_at_once_is_placed_anew():
    assert settle(Released("stops")).position == PLACE
    assert settle(Lost("w1", started=False)).position == PLACE
    assert settle(Failed(ERROR, after_s=0)).position == position(NOW, 10, None)
    assert settle(Failed(ERROR, after_s=0), aging_step=60).position == position(NOW, 10, 60)


@pytest.mark.parametrize("losses", [0, MAX_LOSSES - 2, MAX_LOSSES - 1])
def test_runs_lost_before_they_started_are_bounded_and_spend_no_attempt(losses):
    found = settle(Lost("w1", started=False), losses_before=losses, attempts_before=4, max_attempts=5)
    assert found.attempt == 4
    assert (found.way, found.unfinished) == ((Way.FAIL, True) if losses + 1 == MAX_LOSSES else (Way.RETRY_NOW, False))


def test_a_named_delay_is_asked_with_the_attempt_that_failed():
    def own(attempt: int, error_class: str) -> float:
        return {(3, "ValueError"): 8.0, (3, "TimeoutError"): 9.0, (3, "WorkerLost"): 10.0}[(attempt, error_class)]

    for outcome, seconds in ((Failed(ERROR), 8), (TimedOut(1), 9), (Lost("w1", started=True), 10)):
        found = settle(outcome, attempts_before=2, retry=Named("own"), own_delays={"own": own})
        assert found.due_at == NOW + seconds * SECOND


@pytest.mark.parametrize(
    ("after_s", "way", "due_at"),
    [
        (-5.0, Way.RETRY_NOW, None),
        (math.nan, Way.RETRY_NOW, None),
        (1e-9, Way.RETRY_NOW, None),
        (math.inf, Way.RETRY_LATER, NOW + LONGEST_S * SECOND),
    ],
)
def test_a_delay_of_the_handlers_is_brought_into_bounds(after_s, way, due_at):
    found = settle(Failed(ERROR, after_s=after_s))
    assert (found.way, found.due_at) == (way, due_at)


def test_the_same_chance_gives_the_same_settlement():
    run = facts(retry=Exponential(jitter=0.5))
    assert decide(Failed(ERROR), run, NOW, random.Random(7)) == decide(Failed(ERROR), run, NOW, random.Random(7))


def test_what_is_no_outcome_is_refused():
    nothing: Any = None
    with pytest.raises(AssertionError, match="unreachable"):
        settle(nothing)


def test_whatever_happens_in_between_counted_runs_never_exceed_the_bound():
    rng = random.Random(3)
    for _ in range(300):
        run, runs = facts(max_attempts=rng.randint(1, 6)), 0
        while True:
            outcome = rng.choice([one for one in OUTCOMES if not isinstance(one, Completed | Cancelled)])
            runs += fails_a_run(outcome)
            found = decide(outcome, run, NOW, rng)
            if found.state is JobState.FAILED:
                break
            run = replace(run, attempts_before=found.attempt, losses_before=found.losses)
        assert runs <= run.max_attempts
