"""What is left when a scenario is over: the rows of the database, its witness, and the logs of side effects."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.app import EFFECTS
from tests.chaos.effects import Effect, read_effects
from tests.conformance.databases import PostgresDatabase, Select, SqliteDatabase

Database = SqliteDatabase | PostgresDatabase

_JOBS = {
    "sqlite": (
        "SELECT j.id, l.kind, j.state, j.attempt, j.max_attempts, j.losses, j.claim_id, j.flow_id, j.reason, d.data, "
        "r.result FROM ~jobs j JOIN ~lanes l ON l.id = j.lane_id JOIN ~job_data d ON d.job_id = j.id "
        "LEFT JOIN ~results r ON r.job_id = j.id"
    ),
    "postgres": (
        "SELECT j.id, l.kind, j.state, j.attempt, j.max_attempts, j.losses, j.claim_id, j.flow_id, j.reason, j.data, "
        "r.result FROM ~jobs j JOIN ~lanes l ON l.id = j.lane_id LEFT JOIN ~results r ON r.job_id = j.id"
    ),
}
_FACTS = (
    "SELECT seq, what, job, claim, old, new, old_claim, new_claim, attempt, losses, at, tx FROM ~chaos_witness "
    "ORDER BY seq"
)
_EVENTS = {
    "sqlite": "SELECT position, data FROM ~events ORDER BY position",
    "postgres": "SELECT position, data FROM ~events ORDER BY id",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A job as it is in the end. `data` and `result` are what their JSON says."""

    id: str
    kind: str
    state: str
    attempt: int
    max_attempts: int
    losses: int
    claim: int | None
    flow: str | None
    reason: str | None
    data: Mapping[str, Any]
    result: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Fact:
    """What the witness noted, in order of `seq`.

    what: `state` for a change of a job's row (from `old` to `new`), `gone` for its deletion; `result`, `progress`,
    `stream`, `event` and `enqueue` for a write of the run that holds `claim`. at: wall clock, s; tx: the transaction,
    if known.
    """

    seq: int
    what: str
    job: str
    claim: int | None
    old: str | None
    new: str | None
    old_claim: int | None
    new_claim: int | None
    attempt: int | None
    losses: int | None
    at: float
    tx: int | None

    @property
    def is_move(self) -> bool:
        """Whether it is about the job's own row, and not a write of its run."""
        return self.what in ("state", "gone")


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow's counters."""

    id: str
    total: int
    open: int
    completed: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event in order of its insertion; `position` None: it has not been given one."""

    position: int | None
    job: str
    claim: int
    ends: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it. told: job id -> kind, for what producers were answered; lost: job id -> named losses in its errors.

    chunks: job id -> what it has streamed, piece by piece, each with the number of characters before it.
    """

    jobs: Mapping[str, Row]
    facts: list[Fact]
    edges: list[tuple[str, str]]
    flows: list[Flow]
    events: list[LoggedEvent]
    lost: Mapping[str, int]
    chunks: Mapping[str, list[tuple[int, str]]]
    effects: list[Effect]
    told: Mapping[str, str]


def gather(database: Database, folder: Path) -> Evidence:
    """Read it, with the drivers alone."""
    with database.looking() as select:
        return Evidence(
            jobs={row.id: row for row in _rows(database, select)},
            facts=[Fact(*fact) for fact in select(_FACTS)],
            edges=[(parent, child) for parent, child in select("SELECT parent_id, child_id FROM ~edges")],
            flows=[Flow(*f) for f in select("SELECT id, total, open, completed, failed, cancelled FROM ~flows")],
            events=_events(database, select),
            lost=dict(select("SELECT job_id, count(*) FROM ~errors WHERE error_class = 'WorkerLost' GROUP BY job_id")),
            chunks=_chunks(select),
            effects=read_effects(folder / EFFECTS),
            told={effect.job: effect.kind for path in sorted(folder.glob("*.told")) for effect in read_effects(path)},
        )


def unfinished(database: Database) -> int:
    """How many jobs have not ended."""
    [(count,)] = database.select("SELECT count(*) FROM ~jobs WHERE finished_at IS NULL")
    return int(count)


def _rows(database: Database, select: Select) -> list[Row]:
    found = select(_JOBS[database.name])
    return [Row(*(*row, _value(data), _value(result))) for *row, data, result in found]


def _events(database: Database, select: Select) -> list[LoggedEvent]:
    found = [(position, _value(data)) for position, data in select(_EVENTS[database.name])]
    return [LoggedEvent(position, data["job"], data["claim"], data["ends"]) for position, data in found]


def _chunks(select: Select) -> dict[str, list[tuple[int, str]]]:
    found = select(
        "SELECT c.job_id, c.start, c.text FROM ~stream_chunks c "
        "JOIN ~streams s ON s.job_id = c.job_id AND s.name = c.name AND s.version = c.version "
        "ORDER BY c.job_id, c.name, c.start"
    )
    chunks: dict[str, list[tuple[int, str]]] = {}
    for job, start, text in found:
        chunks.setdefault(job, []).append((start, text))
    return chunks


def _value(text: Any) -> Any:
    """What JSON says, None for no JSON at all; psycopg has read it already."""
    return json.loads(text) if isinstance(text, str) else text
