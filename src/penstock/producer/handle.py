"""`JobHandle`: what an enqueue answers."""

from typing import Any, Protocol

from penstock.domain.states import JobStatus


class HandleOps(Protocol):
    """What a handle asks of its engine."""

    async def result_of(self, job_id: str, timeout: float | None) -> Any: ...

    async def status_of(self, job_id: str) -> JobStatus: ...

    async def cancel(self, job_id: str, *, reason: str = ...) -> Any: ...


class JobHandle:
    """Stands for one job.

    `created` is False when an existing job answers for this enqueue (unique key, or an id that exists); None until the
    transaction that enqueued it has written.
    """

    __slots__ = ("_ops", "created", "id", "kind")

    def __init__(self, job_id: str, kind: str, ops: HandleOps, created: bool | None = None) -> None:
        self.id = job_id
        self.kind = kind
        self.created = created
        self._ops = ops

    def __repr__(self) -> str:
        return f"JobHandle({self.id!r}, kind={self.kind!r}, created={self.created})"

    async def result(self, timeout: float | None = None) -> Any:
        """Wait for the end and answer the result as plain JSON values (None where there is none).

        `timeout` in seconds. Raises JobFailed, JobCancelled, ResultTimeout or NotFound.
        """
        return await self._ops.result_of(self.id, timeout)

    async def status(self) -> JobStatus:
        """The status now. Raises NotFound once the job was pruned."""
        return await self._ops.status_of(self.id)

    async def cancel(self, reason: str = "cancelled by its producer") -> None:
        """Cancel it: a waiting job never runs, a running one is told to stop."""
        await self._ops.cancel(self.id, reason=reason)
