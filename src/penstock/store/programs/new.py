"""What an enqueue is given and what it answers: jobs and flows before they are rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.domain.flows import When
from penstock.domain.unique import Unique
from penstock.store.program import LaneKey


@dataclass(slots=True)
class NewJob:
    """A job to be written. Times µs. `after` holds ids of jobs and flows; `given_id`: the caller chose the id."""

    id: str
    lane: LaneKey
    level: int
    max_attempts: int
    data: bytes
    options: Mapping[str, Any] = field(default_factory=dict)
    due_at: int | None = None
    deadline_at: int | None = None
    after: tuple[str, ...] = ()
    when: When = When.ALL_COMPLETED
    flow_id: str | None = None
    unique: Unique | None = None
    concurrency_key: str | None = None
    concurrency_limit: int = 1
    given_id: bool = False


@dataclass(frozen=True, slots=True)
class NewFlow:
    """A flow to be written before its jobs."""

    id: str
    name: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of one `NewJob`: the id that now stands for it, and whether this call created it."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True)
class Unmet:
    """A blocked job whose condition can no longer be met, because `culprit` (a job or flow) did not complete."""

    id: str
    when: str
    culprit: str


@dataclass(slots=True)
class Written:
    """What an insert did: ids that did not exist before, and those of them that can never start."""

    created: set[str] = field(default_factory=set)
    unmet: list[Unmet] = field(default_factory=list)
