"""What becomes of a job when a run of it ends."""

import itertools
import random
from dataclasses import dataclass, replace

import pytest

from penstock import Delays, Exponential, Fixed, Named
from penstock.domain.order import STRICT_STEP
from penstock.domain.outcomes import (
    MAX_LOSSES,
    SOLO_AFTER,
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
from penstock.domain.retry import LONGEST_S
from penstock.domain.states import TRANSITIONS, JobState, Way

NOW = 1_000_000_000
SECOND = 1_000_000
ERROR = ErrorRecord("ValueError", "it broke", "Traceback …")
FACTS = RunFacts(level=2, attempts_before=0, losses_before=0, max_attempts=3, retry=Fixed(10), position=77)

OUTCOMES: dict[str, Outcome] = {
    "completed": Completed(b"1"),
    "failed": Failed(ERROR),
    "failed at once": Failed(ERROR, after_s=0),
    "permanent": Failed(ERROR, permanent=True),
    "not by the handler": Failed(ERROR, permanent=True, by_handler=False),
    "timed out": TimedOut(60),
    "snoozed": Snoozed(NOW + 5 * SECOND, "later"),
    "cancelled": Cancelled("stop"),
    "cancelled by the handler": Cancelled("no use", by_handler=True),
    "released": Released("stopping"),
    "lost": Lost("w1", started=True),
    "lost before it began": Lost("w1", started=False),
}
COUNTED = {
    "completed", "failed", "failed at once", "permanent", "not by the handler", "timed out", "lost",
}  # fmt: skip
LOSSES = {"lost", "lost before it began"}
RETRIED = {"failed", "failed at once", "timed out", "lost"}


def settle(outcome: Outcome, facts: RunFacts = FACTS) -> Settlement:
    """The decision now, with a known jitter."""
    return decide(outcome, facts, NOW, random.Random(1))


@dataclass(frozen=True)
class Expected:
    """What the rules say in plain words."""

    state: JobState
    unfinished: bool = False
    due_at: int | None = None


def by_the_rules(name: str, facts: RunFacts) -> Expected:
    """DESIGN's rules on attempts and losses, written down a second time."""
    attempt = facts.attempts_before + (name in COUNTED)
    losses = facts.losses_before + (name in LOSSES)
    if name == "completed":
        return Expected(JobState.COMPLETED)
    if name == "snoozed":
        return Expected(JobState.SCHEDULED, due_at=NOW + 5 * SECOND)
    if name.startswith("cancelled"):
        return Expected(JobState.CANCELLED, unfinished=name == "cancelled")
    if name == "released":
        return Expected(JobState.READY)
    by_engine = name in {"not by the handler", "timed out"} | LOSSES
    if name in {"permanent", "not by the handler"} or losses >= MAX_LOSSES > facts.losses_before:
        return Expected(JobState.FAILED, unfinished=by_engine)
    if name == "lost before it began":
        return Expected(JobState.READY)
    due = NOW if name == "failed at once" else NOW + 10 * SECOND
    late = facts.deadline is not None and due >= facts.deadline
    if attempt >= facts.max_attempts or late:
        return Expected(JobState.FAILED, unfinished=by_engine)
    if due == NOW:
        return Expected(JobState.READY)
    return Expected(JobState.SCHEDULED, due_at=due)


DEADLINES = (None, NOW - 1, NOW, NOW + 10 * SECOND, NOW + 10 * SECOND + 1)


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_with_any_counts_and_deadline(name: str) -> None:
    for attempts, losses, deadline in itertools.product(range(3), range(MAX_LOSSES), DEADLINES):
        facts = replace(FACTS, attempts_before=attempts, losses_before=losses, deadline=deadline)
        found, expected = settle(OUTCOMES[name], facts), by_the_rules(name, facts)
        about = (name, attempts, losses, deadline)
        assert (found.state, found.unfinished, found.due_at) == (
            expected.state, expected.unfinished, expected.due_at,
        ), about  # fmt: skip
        assert found.attempt == attempts + (name in COUNTED), about
        assert found.losses == losses + (name in LOSSES), about
        assert (JobState.RUNNING, found.state) in {(t.source, t.target) for t in TRANSITIONS if t.way is found.way}, (
            about
        )


def test_counted_runs_never_exceed_the_bound() -> None:
    rng = random.Random(3)
    for _ in range(300):
        facts, runs = replace(FACTS, max_attempts=rng.randint(1, 6)), 0
        while True:
            name = rng.choice(sorted(RETRIED | {"released", "snoozed", "lost before it began"}))
            runs += name in COUNTED
            found = settle(OUTCOMES[name], facts)
            if found.state is JobState.FAILED:
                break
            facts = replace(facts, attempts_before=found.attempt, losses_before=found.losses)
        assert runs <= facts.max_attempts


def test_runs_lost_before_they_began_end_by_name_after_ten() -> None:
    facts, states = FACTS, []
    for _ in range(MAX_LOSSES):
        found = settle(Lost("w1", started=False), facts)
        states.append(found.state)
        facts = replace(facts, attempts_before=found.attempt, losses_before=found.losses)
    assert states == [JobState.READY] * (MAX_LOSSES - 1) + [JobState.FAILED]
    assert found.attempt == 0
    assert found.error is not None
    assert "worker w1 was lost" in found.error.message
    assert found.unfinished


@pytest.mark.parametrize("started", [True, False])
def test_after_two_losses_a_job_is_claimed_alone(started: bool) -> None:
    solo = [settle(Lost("w", started), replace(FACTS, losses_before=n)).solo for n in range(4)]
    assert solo == [n + 1 >= SOLO_AFTER for n in range(4)]


def test_a_job_lost_twice_stays_alone_when_it_fails_later() -> None:
    assert settle(Failed(ERROR), replace(FACTS, losses_before=2)).solo
    assert not settle(Failed(ERROR), replace(FACTS, losses_before=1)).solo


def test_what_was_given_back_or_never_began_keeps_its_place() -> None:
    assert settle(Released("stopping")).position == 77
    assert settle(Lost("w", started=False)).position == 77


def test_a_retry_at_once_queues_up_anew() -> None:
    found = settle(Failed(ERROR, after_s=0))
    assert (found.way, found.position) == (Way.RETRY_NOW, NOW - 2 * STRICT_STEP)
    assert settle(Failed(ERROR, after_s=0), replace(FACTS, aging_step=5)).position == NOW - 10


def test_completion_carries_the_result_and_failure_the_error() -> None:
    assert settle(Completed(b"[1]")).result == b"[1]"
    assert settle(Failed(ERROR)).error == ERROR
    found = settle(Failed(ERROR, permanent=True))
    assert (found.reason, found.error) == ("it broke", ERROR)


def test_a_timeout_is_an_error_that_says_how_long() -> None:
    found = settle(TimedOut(2.5))
    assert found.error == ErrorRecord("TimeoutError", "stopped after its timeout of 2.5 s")


def test_a_retry_that_would_come_after_the_deadline_fails_and_says_so() -> None:
    found = settle(Failed(ERROR), replace(FACTS, deadline=NOW + SECOND))
    assert found.state is JobState.FAILED
    assert found.error == replace(ERROR, message="it broke (no retry: its deadline comes first)")


def test_a_snooze_into_the_past_is_due_now() -> None:
    assert settle(Snoozed(NOW - SECOND, "r")).due_at == NOW


def test_the_handlers_delay_goes_before_the_policys() -> None:
    assert settle(Failed(ERROR, after_s=3)).due_at == NOW + 3 * SECOND


@pytest.mark.parametrize("after_s", [-1.0, float("nan"), 1e-9])
def test_a_delay_of_less_than_a_microsecond_is_none(after_s: float) -> None:
    assert settle(Failed(ERROR, after_s=after_s)).way is Way.RETRY_NOW


@pytest.mark.parametrize("outcome", [Failed(ERROR, after_s=float("inf")), Failed(ErrorRecord("Forever", ""))])
def test_an_endless_delay_is_a_century(outcome: Failed) -> None:
    facts = replace(FACTS, retry=Named("own"), own_delays={"own": lambda *_: float("inf")})
    assert settle(outcome, facts).due_at == NOW + LONGEST_S * SECOND


def test_the_policy_sees_the_attempt_that_failed_and_its_error() -> None:
    asked: list[tuple[int, str]] = []

    def own(attempt: int, error_class: str) -> float:
        asked.append((attempt, error_class))
        return 1.0

    settle(Failed(ERROR), replace(FACTS, attempts_before=1, retry=Named("own"), own_delays={"own": own}))
    assert asked == [(2, "ValueError")]
    assert settle(Failed(ERROR), replace(FACTS, attempts_before=1, retry=Delays((1, 2)))).due_at == NOW + 2 * SECOND


def test_only_the_jitter_is_random() -> None:
    facts = replace(FACTS, retry=Exponential(base=100, jitter=0.5))
    assert settle(Failed(ERROR), facts) == settle(Failed(ERROR), facts)
    other = decide(Failed(ERROR), facts, NOW, random.Random(2))
    assert replace(other, due_at=None) == replace(settle(Failed(ERROR), facts), due_at=None)
