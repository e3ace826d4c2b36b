"""What an enqueue is given and what it answers: jobs and flows before they are rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from penstock.codec import JsonText
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


class Template(NamedTuple):
    """What jobs that are alike have in common. Times µs. `options` as `NewJob`'s, as JSON."""

    lane: LaneKey
    level: int
    max_attempts: int
    options: JsonText | None = None
    due_at: int | None = None
    deadline_at: int | None = None
    concurrency_key: str | None = None
    concurrency_limit: int | None = None


@dataclass(slots=True)
class Alike:
    """Jobs that differ in id and data only and are tied to nothing. `ids` are fresh: no job has or had one of them.

    `data`: JSON, one for each id.
    """

    template: Template
    ids: list[str]
    data: list[bytes]


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
