"""What curation is given, answers, and needs from outside."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from systems.learning_plans.domain.resources import Candidate

TIME_BUDGET = "time_budget"
"""Why a task is skipped that curation had no time for."""


class CurationStatus(StrEnum):
    """Where a task stands: `pending` → `done`, `skipped` or `failed`; the last two → `pending` when asked for again."""

    PENDING = "pending"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CurationTask:
    """A task to find resources for; `position` is (order of its module, its own order)."""

    id: str
    position: tuple[int, int]
    title: str
    description: str
    has_micro_explanation: bool = False


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What became of one task; `reason` says why it is not done. It is stored as JSON between runs of a job."""

    task_id: str
    status: CurationStatus
    reason: str | None = None
    resources: tuple[Candidate, ...] = ()
    micro_explanation: str | None = None


Curate = Callable[[], Awaitable[TaskOutcome]]


class Once(Protocol):
    """A hook around each piece of work, by which a caller can remember what it brought. A task has two: its searches
    ("task ID"), and its explanation ("explanation ID")."""

    async def __call__(self, name: str, curate: Curate, /) -> TaskOutcome:
        """What `curate()` answers, now or when it was done before."""
        ...


async def at_once(name: str, curate: Curate, /) -> TaskOutcome:
    """The hook that remembers nothing."""
    return await curate()


@dataclass(frozen=True, slots=True)
class CurationInput:
    """What to curate. Nothing is begun after `ends_by`, and what is under way then is given up.

    With `in_memory` nothing is written: whoever asked stores the summary's outcomes.
    """

    plan_id: str
    topic: str
    skill_level: str
    tasks: Sequence[CurationTask]
    ends_by: datetime | None = None
    in_memory: bool = False
    once: Once = at_once


@dataclass(frozen=True, slots=True)
class CurationSummary:
    """The outcomes of all tasks, in their order."""

    outcomes: tuple[TaskOutcome, ...]

    def count(self, status: CurationStatus) -> int:
        """How many tasks ended so."""
        return sum(outcome.status is status for outcome in self.outcomes)

    @property
    def resources(self) -> int:
        """How many resources were chosen in all."""
        return sum(len(outcome.resources) for outcome in self.outcomes)

    @property
    def micro_explanations(self) -> int:
        """How many explanations were written."""
        return sum(outcome.micro_explanation is not None for outcome in self.outcomes)


class SearchFailed(Exception):
    """A search brought no answer; `reason` is one line without any key or address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Waiting = Callable[[], AbstractContextManager[None]]
"""Gives a context that a search holds while it only waits for its turn at a limit."""


Found = TypeVar("Found", covariant=True)


class Search(Protocol[Found]):
    """Videos (`FoundVideo`) or pages of documentation (`FoundPage`) on the web."""

    async def search(self, query: str, waiting: Waiting, /) -> Sequence[Found]:
        """What may be attached to a task, in the provider's order: videos that may be shown anywhere, or pages of
        allowed sites that are there. Raises `SearchFailed`."""
        ...


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> datetime:
        """The present time, aware (UTC)."""
        ...


class FindStore(Protocol):
    """Where finds are kept. Keeping the same outcome twice changes nothing."""

    async def keep(self, outcomes: Sequence[TaskOutcome]) -> None:
        """Attach what was found and settle each task that is still pending, in one transaction.

        Tasks that are gone are passed over; a task that has an explanation keeps it.
        """
        ...


@dataclass(frozen=True, slots=True)
class PlanTopic:
    """What a plan is about, and for whom."""

    topic: str
    skill_level: str


class CurationWork(Protocol):
    """What there is to curate."""

    async def topic(self, plan_id: str, user_id: str) -> PlanTopic | None:
        """None when the plan is gone, or not this learner's."""
        ...

    async def open_task_ids(self, plan_id: str, task_ids: Sequence[str] | None) -> list[str]:
        """Those of the plan's tasks (None: all of them) whose curation is pending or has not been asked for."""
        ...

    async def tasks(self, plan_id: str, task_ids: Sequence[str]) -> list[CurationTask]:
        """Those of these tasks that the plan still has, in the plan's order."""
        ...
