"""What people do with flows."""

from collections.abc import Sequence
from typing import Any

from penstock.errors import NotFound
from penstock.flows import FlowJob, FlowView, flow_edges, flow_jobs, flow_view
from penstock.operations.jobs import known_id, resolve
from penstock.store.base import Store
from penstock.store.programs.cancel import CancelReport, cancel_flow
from penstock.store.programs.read import rows_of
from penstock.store.programs.retry import Revived, retry_flow


class FlowOperations:
    """Inspect, cancel and retry flows."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def resolve(self, prefix: str) -> str:
        """The full id that begins with `prefix`. Raises NotFound, or InvalidJob when several do."""
        return await resolve(self._store, "flow", prefix)

    async def get(self, flow_id: str) -> FlowView:
        """One flow. Raises NotFound."""
        found = await self._store.read(flow_view(known_id("flow", flow_id)))
        if found is None:
            raise NotFound(f"no flow {flow_id}")
        return found

    async def list(
        self,
        *,
        name: str | None = None,
        tenant: str | None = None,
        open: bool | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[FlowView]:
        """Flows, newest first."""
        rows = await self._store.read(
            rows_of("list_flows", name=name, tenant=tenant, open=open, before=before, limit=limit)
        )
        return [FlowView.of(row) for row in rows]

    async def jobs(self, flow_id: str, limit: int = 1000) -> Sequence[FlowJob]:
        """A flow's jobs, oldest first."""
        return await self._store.read(flow_jobs(known_id("flow", flow_id), limit))

    async def edges(self, flow_id: str) -> Sequence[tuple[str, str]]:
        """(parent, child) pairs."""
        return await self._store.read(flow_edges(known_id("flow", flow_id)))

    async def cancel(
        self, flow_id: str, *, reason: str = "its flow was cancelled by a person", on: Any = None
    ) -> CancelReport:
        """Cancel every open job of a flow; with `on=` in the caller's transaction. Raises NotFound."""
        program = cancel_flow(known_id("flow", flow_id), self._store.clock.now(), reason)
        report = await (self._store.run(program) if on is None else self._store.run_on(on, program))
        if report is None:
            raise NotFound(f"no flow {flow_id}")
        return report

    async def retry(self, flow_id: str) -> Revived:
        """Re-run what failed and what follows, as a new round. Raises NotFound, or Conflict when nothing failed."""
        return await self._store.run(retry_flow(known_id("flow", flow_id), self._store.clock.now()))
