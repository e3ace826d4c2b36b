"""`Penstock`: the engine as an application holds it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from penstock.config import load_settings
from penstock.domain.budgets import Budget, Rule
from penstock.domain.events import Event
from penstock.domain.job import JobData
from penstock.domain.limits import ModelLimit
from penstock.domain.options import canonical_id, micros
from penstock.domain.schedule import Schedule
from penstock.domain.states import JobState, JobStatus, status_of
from penstock.errors import ConfigurationError, NotFound
from penstock.events import EventLog
from penstock.flows import FlowRef
from penstock.ledger import Cost, Ledger, UsageSink, cost_of
from penstock.operations import (
    BudgetOperations,
    FlowOperations,
    JobOperations,
    JobView,
    LimitOperations,
    QueueOperations,
    SinkOperations,
    StreamPiece,
    StreamReader,
    Update,
    tail_job,
    watch_job,
)
from penstock.operations.jobs import known_id, result_value
from penstock.operations.usage import UsageView, checked_by
from penstock.producer import JobHandle, Producer, SyncTransaction, Transaction
from penstock.sealing import Keyring
from penstock.store.base import Store
from penstock.store.programs.cancel import CancelReport
from penstock.store.programs.ledger import UsageFilter, usage
from penstock.store.programs.read import job_outcome
from penstock.store.programs.upkeep import Declared


class Penstock:
    """The engine over one database: `sqlite:///file.db` or `postgresql://…`.

    Options are those of `penstock.config.Settings`; what is not given comes from the environment (`PENSTOCK_…`). It
    opens itself at first use; `async with` or `close()` ends it. Two engines in one process do not know each other.
    limits: what providers of models allow (`penstock.ai.ModelLimit`), kept by all processes of the database together.
    budgets: what model calls may cost (`penstock.ai.Budget`); what `penstock budgets set` says of one holds before it.
    usage_sinks: who besides the ledger is told what model calls used; its workers tell them, `close()` closes them.
    cost: what a call costs (as `penstock.ledger.cost_of`), for models with prices of their own.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        store: Store | None = None,
        limits: Sequence[ModelLimit] = (),
        budgets: Sequence[Budget] = (),
        usage_sinks: Sequence[UsageSink] = (),
        cost: Cost = cost_of,
        **settings: Any,
    ) -> None:
        self.settings = load_settings(database_url=url, **settings)
        self.store = store or open_store(self.settings.database_url)
        self.keyring = Keyring(self.settings.secret_keys.get_secret_value())
        self.jobs = JobOperations(self.store, self.keyring, self.settings.max_payload_bytes)
        self.flows = FlowOperations(self.store)
        self.queues = QueueOperations(self.store)
        self.budgets = BudgetOperations(self.store)
        self.limits = LimitOperations(self.store)
        self.sinks = SinkOperations(self.store)
        self.events = EventLog(self.store)
        self.producer = Producer(self.store, self.keyring, self.settings.max_payload_bytes, self.jobs)
        self.ledger = Ledger(
            self.store, cost, limits=limits, budgets=_distinct_budgets(budgets), sinks=_distinct(usage_sinks)
        )
        self.sync = SyncPenstock(self)
        self.schedules: dict[str, Declared] = {}

    async def open(self) -> Self:
        """Connect now instead of at first use. Raises SchemaError, StoreUnavailable."""
        await self.store.open()
        return self

    async def close(self) -> None:
        """Close all connections."""
        for sink in self.ledger.sinks:
            await sink.close()
        await self.store.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def enqueue(self, data: JobData, *, on: Any = None, **options: Any) -> JobHandle:
        """Enqueue one job and answer its handle.

        Options (see `EnqueueOptions`): queue, priority, delay, run_at, unique, max_attempts, retry, timeout, deadline,
        retention, tags, tenant, concurrency_key, concurrency_limit, id, and after, when, flow. With `on=` (a SQLAlchemy
        session or connection, or a driver connection) it is part of the caller's transaction. Raises InvalidJob and its
        kin, NotFound, FlowEnded, SealingError; nothing is written then.
        """
        return (await self.producer.enqueue_many([data], options, on))[0]

    async def enqueue_many(self, data: Sequence[JobData], *, on: Any = None, **options: Any) -> list[JobHandle]:
        """Enqueue many jobs with the same options in one go, all or none; answers their handles in order."""
        return await self.producer.enqueue_many(list(data), options, on)

    def transaction(self, on: Any = None) -> Transaction:
        """`async with penstock.transaction() as tx:` jobs, flows and events, written together at the exit."""
        return Transaction(self.producer, on)

    async def flow(self, name: str, *, tenant: str | None = None) -> FlowRef:
        """Start an empty flow; enqueue into it with `flow=`."""
        async with self.transaction() as tx:
            return tx.flow(name, tenant=tenant)

    async def publish(self, event: Event, *, subject: str | None = None, on: Any = None) -> None:
        """Publish an event."""
        async with self.transaction(on) as tx:
            await tx.publish(event, subject=subject)

    def watch(self, job_id: str) -> AsyncIterator[Update]:
        """The job's state and progress now and after each change, until it has ended."""
        return watch_job(self.store, known_id("job", job_id))

    def tail(
        self,
        job_id: str,
        stream: str | None = None,
        *,
        offset: int = 0,
        version: int | None = None,
        follow: bool = True,
    ) -> AsyncIterator[StreamPiece]:
        """What the job's runs stream: what is there from `offset` (characters) on, then what comes, until it has ended.

            async for piece in penstock.tail(job_id, "plan"):
                if piece.restarted: ...  # a later attempt began anew: forget what was shown
                show(piece.text)

        stream: its name, None for all. Who was cut off goes on with the last piece's `version` and `end` as `offset`;
        when there is another version by then, the first piece is `restarted`. follow: False: only what is there.
        Raises InvalidJob, and NotFound when there is no such job.
        """
        reader = StreamReader(known_id("job", job_id), stream, offset=offset, version=version)
        return tail_job(self.store, reader, follow=follow)

    async def cancel(self, job_id: str, *, reason: str = "cancelled by a person") -> CancelReport:
        """Cancel a job: a waiting one never runs, a running one is told to stop. Raises NotFound."""
        return await self.jobs.cancel(job_id, reason=reason)

    async def signal(self, job_id: str, name: str, data: Any = None, *, on: Any = None) -> bool:
        """Send a signal to a job: its `wait_for(name)` answers `data` (JSON, or a pydantic model's).

        It is kept until a handler waits for it. Answers whether the job was waiting and goes on now. With `on=` it is
        part of the caller's transaction. Raises NotFound, Conflict (the job has ended), InvalidJob.
        """
        return await self.jobs.signal(job_id, name, data, on=on)

    async def usage(
        self,
        *,
        by: str = "model",
        since: datetime | timedelta = timedelta(days=30),
        until: datetime | None = None,
        tenant: str | None = None,
        kind: str | None = None,
        flow_id: str | None = None,
        job_id: str | None = None,
    ) -> list[UsageView]:
        """What model calls have cost, the dearest first, summed up by tenant, kind, flow, job, step, provider, model,

        outcome, day or hour (UTC). `since`: an aware datetime, or how long ago. Raises InvalidJob.
        """
        now = self.store.clock.now()
        first = now - since // timedelta(microseconds=1) if isinstance(since, timedelta) else micros("since", since)
        last = now + 1 if until is None else micros("until", until)
        rows = await self.store.read(usage(UsageFilter(checked_by(by), first, last, tenant, kind, flow_id, job_id)))
        return [UsageView.of(row) for row in rows]

    async def get(self, job_id: str) -> JobView:
        """One job. Raises NotFound."""
        return await self.jobs.get(job_id)

    def handle(self, job_id: str, kind: str = "") -> JobHandle:
        """A handle for a known id, without asking the store."""
        return JobHandle(canonical_id(job_id) or job_id, kind, self.jobs)

    def schedule(self, name: str, when: Schedule, data: JobData, **options: Any) -> None:
        """Declare a recurring job; workers of this engine take it over when they start. Each tick is enqueued once.

        Options as for `enqueue`, without delay, run_at, unique, id, after and flow. Raises ConfigurationError.
        """
        refused = {"delay", "run_at", "unique", "id", "after", "flow", "deadline", "when"} & options.keys()
        if refused:
            raise ConfigurationError(
                f"schedule {name!r}: option {sorted(refused)[0]!r} makes no sense for a recurring job"
            )
        if name in self.schedules:
            raise ConfigurationError(f"schedule {name!r} is declared twice")
        job = self.producer.builder.job(data, options, 0)
        if job.lane.seal_key is not None:
            raise ConfigurationError(f"schedule {name!r}: a recurring job cannot carry secrets")
        self.schedules[name] = Declared(name, when, job.lane, job.level, job.max_attempts, job.data, job.options)


class SyncPenstock:
    """Enqueue and status for code without an event loop: Flask, Django, a script."""

    def __init__(self, engine: Penstock) -> None:
        self._engine = engine

    def enqueue(self, data: JobData, *, on: Any = None, **options: Any) -> JobHandle:
        """As `Penstock.enqueue`, blocking."""
        return self._engine.producer.enqueue_many_sync([data], options, on)[0]

    def enqueue_many(self, data: Sequence[JobData], *, on: Any = None, **options: Any) -> list[JobHandle]:
        """As `Penstock.enqueue_many`, blocking."""
        return self._engine.producer.enqueue_many_sync(list(data), options, on)

    def transaction(self, on: Any = None) -> SyncTransaction:
        """`with penstock.sync.transaction() as tx:`."""
        return SyncTransaction(self._engine.producer, on)

    def signal(self, job_id: str, name: str, data: Any = None, *, on: Any = None) -> bool:
        """As `Penstock.signal`, blocking."""
        program = self._engine.jobs.signalling(job_id, name, data)
        store = self._engine.store
        return store.run_sync(program) if on is None else store.run_on_sync(on, program)

    def tail(
        self, job_id: str, stream: str | None = None, *, offset: int = 0, version: int | None = None
    ) -> list[StreamPiece]:
        """What is there, as `Penstock.tail` without `follow`."""
        reader = StreamReader(known_id("job", job_id), stream, offset=offset, version=version)
        return reader.taken(self._engine.store.read_sync(reader.looking()))

    def status(self, job_id: str) -> JobStatus:
        """The status now. Raises NotFound."""
        outcome = self._engine.store.read_sync(job_outcome(known_id("job", job_id)))
        if outcome is None:
            raise NotFound(f"no job {job_id}")
        return status_of(JobState(outcome.state))

    def result(self, job_id: str) -> Any:
        """The result of an ended job. Raises JobFailed, JobCancelled, NotFound; Conflict while it has not ended."""
        outcome = self._engine.store.read_sync(job_outcome(known_id("job", job_id)))
        if outcome is None:
            raise NotFound(f"no job {job_id}")
        return result_value(job_id, outcome)


def _distinct(sinks: Sequence[UsageSink]) -> Sequence[UsageSink]:
    names = [sink.name for sink in sinks]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"usage_sinks: two are named {max(names, key=names.count)!r}; give each its own name=")
    return sinks


def _distinct_budgets(budgets: Sequence[Budget]) -> Sequence[Rule]:
    names = [budget.rule.name for budget in budgets]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"budgets: two are named {max(names, key=names.count)!r}; give each its own name")
    return [budget.rule for budget in budgets]


def open_store(url: str) -> Store:
    """The store a URL names. Raises ConfigurationError for another scheme, or when its driver is not installed.

    The import is late on purpose: `import penstock` loads no driver, and a SQLite user needs none.
    """
    if url.startswith("sqlite:///"):
        from penstock.store.sqlite import SqliteStore  # noqa: PLC0415

        return SqliteStore(url)
    if url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        try:
            from penstock.store.postgres import PostgresStore  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                f"PostgreSQL needs its driver ({error.name}): pip install 'penstock[postgres]'"
            ) from None
        return PostgresStore(url)
    raise ConfigurationError(
        f"database url must begin with sqlite:/// or postgresql://, not {url.partition('://')[0]!r}"
    )
