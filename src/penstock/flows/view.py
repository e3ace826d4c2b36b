"""A flow's own status, counts and progress, and its jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.domain.flows import FlowCounts, FlowStatus
from penstock.store.program import Call, Row, Steps, program


@dataclass(frozen=True, slots=True)
class FlowRef:
    """Names a flow; pass it as `flow=` or `after=`."""

    id: str
    name: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class FlowJob:
    """A job of a flow. Times µs."""

    id: str
    kind: str
    queue: str
    state: str
    attempt: int
    max_attempts: int
    started_at: int | None
    finished_at: int | None
    reason: str | None
    progress: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class FlowView:
    """A flow as it stands. Times µs. `round` counts the retries of the flow, from 1."""

    id: str
    name: str
    tenant: str | None
    round: int
    counts: FlowCounts
    created_at: int
    finished_at: int | None

    @property
    def status(self) -> FlowStatus:
        """running, completed, failed or cancelled."""
        return self.counts.status()

    @classmethod
    def of(cls, row: Row) -> "FlowView":
        """From the columns of `get_flow` and `list_flows`."""
        return cls(row[0], row[1], row[2], row[3], FlowCounts(*row[4:9]), row[9], row[10])


@program
def flow_view(flow_id: str) -> Steps[FlowView | None]:
    """One flow."""
    rows = yield Call("get_flow", {"flow_id": flow_id}, only=True)
    return FlowView.of(rows[0]) if rows else None


@program
def flow_jobs(flow_id: str, limit: int = 1000) -> Steps[Sequence[FlowJob]]:
    """A flow's jobs, oldest first."""
    return [FlowJob(*row) for row in (yield Call("flow_jobs", {"flow_id": flow_id, "limit": limit}, only=True))]


@program
def flow_edges(flow_id: str, limit: int = 10_000) -> Steps[Sequence[tuple[str, str]]]:
    """(parent, child) pairs of a flow's jobs."""
    return [(row[0], row[1]) for row in (yield Call("flow_edges", {"flow_id": flow_id, "limit": limit}, only=True))]
