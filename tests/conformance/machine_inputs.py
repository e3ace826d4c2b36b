"""What the state machine draws: jobs to be enqueued, outcomes of runs, and numbers that choose among what there is."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from penstock import Unique, codec
from penstock.domain.claimed import ClaimedJob
from penstock.domain.flows import When
from penstock.domain.outcomes import (
    Cancelled,
    Completed,
    ErrorRecord,
    Failed,
    Outcome,
    Released,
    RunFacts,
    Snoozed,
    TimedOut,
    decide,
)
from penstock.domain.retry import load_policy
from penstock.store.program import LaneKey
from penstock.store.programs.new import NewJob
from penstock.store.programs.settle import RunEnd
from tests.conformance.model_ground import AGING, ENDING_QUEUE, SECOND, Run

ERROR = ErrorRecord("E", "no")
ENDED_BY: dict[str, Any] = {"kind": "tidied", "queue": ENDING_QUEUE, "level": 3, "attempts": 2}
LIMITS = {"one": 1, "two": 2}
"""The limits of the concurrency keys; those of `mixed` differ from job to job."""
BEYOND = "ffffffff-0000-7000-8000-000000000000"
"""An id that nothing has."""
ALL_KINDS = ("plain", "fragile", "odd")


@dataclass(frozen=True, slots=True)
class Wish:
    """A job to be enqueued; what it points to is chosen by number among what there is then, newest first."""

    queue: str = "strict"
    kind: str = "plain"
    tenant: str | None = None
    level: int = 0
    attempts: int = 2
    retry_s: int = 0
    delay: int | None = None
    deadline: int | None = None
    unique: Unique | None = None
    ckey: str | None = None
    climit: int = 1
    after: tuple[int, ...] = ()
    when: When = When.ALL_COMPLETED
    flow: int | None = None
    again: int | None = None

    def job(self, id_: str, now: int, number: int) -> NewJob:
        """The job, but for what it points to. `number` sets its retries apart from those of other jobs."""
        # Two that fail together are so not due at the same microsecond: the order of equals is the store's own choice.
        options: dict[str, Any] = {"retry": {"f": [self.retry_s + number / SECOND, 0.0]}}
        if self.kind == "fragile":
            options["ended_by"] = ENDED_BY
        return NewJob(
            id_, LaneKey(self.queue, self.kind, self.tenant), self.level, self.attempts, b"{}", options,
            due_at=None if self.delay is None else now + self.delay * SECOND,
            deadline_at=None if self.deadline is None else now + self.deadline * SECOND,
            when=self.when,
            unique=self.unique,
            concurrency_key=self.ckey,
            concurrency_limit=LIMITS.get(self.ckey or "", self.climit),
        )  # fmt: skip


_KEYS = st.builds(
    lambda key, how, replace: Unique(key, how if how else None, how == timedelta(0), replace),
    st.sampled_from(["k", "l"]),
    st.sampled_from([None, None, None, timedelta(seconds=50), timedelta(0)]),
    st.booleans(),
)
_PLACED = st.builds(
    Wish,
    queue=st.sampled_from(["strict", "aged"]),
    kind=st.sampled_from(["plain", "fragile", "odd"]),
    tenant=st.sampled_from([None, "t"]),
    level=st.sampled_from([0, 1, -1, 10]),
    attempts=st.integers(1, 3),
    retry_s=st.sampled_from([0, 5]),
    delay=st.sampled_from([None, 5, 60]),
    deadline=st.sampled_from([None, None, 3, 60]),
    flow=st.sampled_from([None, None, 0, 1]),
)
_TIED = st.builds(
    Wish,
    kind=st.sampled_from(["plain", "fragile"]),
    delay=st.sampled_from([None, None, 5]),
    after=st.lists(st.integers(0, 12), max_size=3).map(tuple),
    attempts=st.sampled_from([1, 2]),
    when=st.sampled_from(When),
    flow=st.sampled_from([None, 0, 0, 1, 2]),
    ckey=st.sampled_from([None, None, "one"]),
)
_BOUND = st.builds(
    Wish,
    queue=st.sampled_from(["strict", "aged"]),
    kind=st.sampled_from(["plain", "odd"]),
    level=st.sampled_from([0, 1]),
    delay=st.sampled_from([None, 5]),
    unique=st.one_of(st.none(), _KEYS),
    ckey=st.sampled_from([None, "one", "two", "mixed"]),
    climit=st.integers(1, 3),
    after=st.lists(st.integers(0, 5), max_size=1).map(tuple),
    again=st.sampled_from([None, None, 0, 3]),
)
WISH = st.one_of(_PLACED, _TIED, _TIED, _BOUND)
WISHES = st.lists(WISH, min_size=1, max_size=6)
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        *[Completed()] * 10, Completed(b"1"), Failed(ERROR), Failed(ERROR, permanent=True),
        Failed(ERROR, after_s=0.0), Failed(ERROR, after_s=5.0), Failed(ERROR, by_handler=False), TimedOut(1.0),
        Snoozed(0, "later"), Snoozed(5 * SECOND, "later"), Cancelled("stop"), Cancelled("own", by_handler=True),
        Released("stopping"),
    ]
)  # fmt: skip
PICK = st.integers(0, 30)
SELDOM = st.sampled_from([False, False, False, True])
KNOWN = st.sampled_from([ALL_KINDS, ALL_KINDS, ("plain", "odd")])
PICKS = st.lists(st.integers(0, 20), min_size=1, max_size=4)


@dataclass(slots=True)
class Held:
    """A run that a worker once claimed; it may have been lost since."""

    job: ClaimedJob
    solo: bool

    @property
    def run(self) -> Run:
        """As the model knows it."""
        return Run(self.job.id, self.job.claim_id)

    def end(self, outcome: Outcome, now: int, started: int | None) -> RunEnd:
        """What its worker would write."""
        job = self.job
        options = codec.loads(job.options) if job.options else {}
        facts = RunFacts(
            job.level, job.attempts_before, job.losses_before, job.max_attempts, load_policy(options.get("retry")),
            AGING[job.queue], job.deadline_at, job.position,
        )  # fmt: skip
        lane = LaneKey(job.queue, job.kind, job.tenant, None, self.solo)
        return RunEnd(job.id, job.claim_id, lane, decide(outcome, facts, now, random.Random(1)), started)


def newest(pick: int, among: Sequence[str]) -> str:
    """One of these, by number from the end; an id that nothing has when there is none."""
    return among[-1 - pick % len(among)] if among else BEYOND


def at(outcome: Outcome, now: int, index: int = 0) -> Outcome:
    """An outcome with its times counted from now, and a little apart from the others of its batch."""
    match outcome:
        case Snoozed(until, reason):
            return Snoozed(now + until + index, reason)
        case Failed(after_s=float(after_s)):
            return replace(outcome, after_s=after_s + index / SECOND)
    return outcome
