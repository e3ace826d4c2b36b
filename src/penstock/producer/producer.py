"""`Producer`: enqueue and publish, from outside or on behalf of a run."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter

from penstock import codec
from penstock.clock import Clock
from penstock.context import Job
from penstock.domain.events import Event
from penstock.domain.job import JobData
from penstock.errors import Conflict
from penstock.producer.build import Builder
from penstock.producer.gather import Gatherer
from penstock.producer.handle import HandleOps, JobHandle
from penstock.producer.transaction import JobTransaction, fence_of
from penstock.sealing import Keyring
from penstock.store.base import Store
from penstock.store.programs.commit import Writes, commit
from penstock.store.programs.enqueue import enqueue, enqueue_alike
from penstock.store.programs.new import Alike, Enqueued
from penstock.store.programs.read import parent_results

_ANY = TypeAdapter(Any)
_FEW = 100
"""Calls of at most this many jobs are gathered; larger ones gain nothing by it."""


class Producer:
    """Writes jobs and events through a store."""

    def __init__(self, store: Store, keyring: Keyring, max_payload_bytes: int, ops: HandleOps) -> None:
        self.store = store
        self.ops = ops
        self.builder = Builder(store.clock, keyring, max_payload_bytes)
        self._gatherer = Gatherer(store)

    @property
    def clock(self) -> Clock:
        """The store's time."""
        return self.store.clock

    async def enqueue_many(self, data: Sequence[JobData], options: dict[str, Any], on: Any = None) -> list[JobHandle]:
        """Write jobs in one go; answers their handles."""
        now = self.clock.now()
        alike = self.builder.alike(data, options, now)
        if alike is not None:
            if on is not None:
                await self.store.run_on(on, enqueue_alike([alike], now))
            elif len(alike.ids) > _FEW:
                await self.store.run(enqueue_alike([alike], now))
            else:
                await self._gatherer.write(alike)
            return self._fresh_handles(alike)
        jobs = self.builder.jobs(data, options, now)
        program = enqueue(jobs, now, alone=True)
        answers = await (self.store.run(program) if on is None else self.store.run_on(on, program))
        return self._handles(data, answers)

    def enqueue_many_sync(self, data: Sequence[JobData], options: dict[str, Any], on: Any = None) -> list[JobHandle]:
        """As `enqueue_many`, blocking."""
        now = self.clock.now()
        alike = self.builder.alike(data, options, now)
        if alike is not None:
            few = enqueue_alike([alike], now)
            self.store.run_sync(few) if on is None else self.store.run_on_sync(on, few)
            return self._fresh_handles(alike)
        jobs = self.builder.jobs(data, options, now)
        program = enqueue(jobs, now, alone=True)
        answers = self.store.run_sync(program) if on is None else self.store.run_on_sync(on, program)
        return self._handles(data, answers)

    def _fresh_handles(self, jobs: Alike) -> list[JobHandle]:
        kind, ops = jobs.template.lane.kind, self.ops
        return [JobHandle(id_, kind, ops, True) for id_ in jobs.ids]

    def _handles(self, data: Sequence[JobData], answers: Sequence[Enqueued]) -> list[JobHandle]:
        return [
            JobHandle(answer.id, item.job_kind.kind, self.ops, answer.created)
            for item, answer in zip(data, answers, strict=True)
        ]

    async def enqueue_for_run(self, job: Job[Any], data: Sequence[JobData], options: dict[str, Any]) -> list[JobHandle]:
        """Enqueue on behalf of a run; ClaimLost when it no longer holds its job."""
        _refuse_inside_end(job)
        options = dict(options)
        on = options.pop("on", None)
        now = self.clock.now()
        writes = Writes(jobs=self.builder.jobs(data, options, now, job.flow_id))
        program = commit(writes, now, fence_of(job))
        answers = await (self.store.run(program) if on is None else self.store.run_on(on, program))
        return self._handles(data, answers)

    async def publish_for_run(self, job: Job[Any], events: Sequence[tuple[Event, str | None]], on: Any = None) -> None:
        """Publish on behalf of a run; ClaimLost when it no longer holds its job."""
        _refuse_inside_end(job)
        writes = Writes(events=[self.builder.event(event, subject) for event, subject in events])
        program = commit(writes, self.clock.now(), fence_of(job))
        await (self.store.run(program) if on is None else self.store.run_on(on, program))

    def transaction_for_run(self, job: Job[Any], on: Any, worker: str) -> JobTransaction:
        """The transaction that ends a run."""
        return JobTransaction(self, job, worker, on)

    async def parent_results(self, job: Job[Any]) -> dict[str, Any]:
        """Results of the jobs this one comes after."""
        return {
            id_: None if text is None else codec.loads(text)
            for id_, text in await self.store.read(parent_results(job.id))
        }

    def result_json(self, result: Any) -> bytes:
        """A result as JSON. Raises pydantic's error for what is no JSON."""
        if isinstance(result, BaseModel):
            return result.__pydantic_serializer__.to_json(result)
        return _ANY.dump_json(result)


def _refuse_inside_end(job: Job[Any]) -> None:
    if job.ending or job.ended:
        raise Conflict("inside job.transaction() write through the transaction: tx.enqueue(…), tx.publish(…)")
