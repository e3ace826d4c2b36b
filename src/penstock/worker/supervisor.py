"""`Worker`: starts the services in order, stops them in order, and minds signals."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from penstock.domain.queue import Queue
from penstock.errors import SchemaError
from penstock.registry import Registry
from penstock.store.programs.upkeep import declare_schedules
from penstock.worker.engine import Engine
from penstock.worker.logs import get_logger
from penstock.worker.maintenance import Duty
from penstock.worker.options import KILL_GRACE_S, worker_options
from penstock.worker.parts import Blueprint, Parts
from penstock.worker.registration import Registration
from penstock.worker.run import Stop
from penstock.worker.stats import WorkerStats

logger = get_logger(__name__)

EXIT_FINISHED = 0
EXIT_GIVEN_BACK = 1
EXIT_SECOND_SIGNAL = 130
_LAST_FLUSH_S = 5.0
"""At least this long are results tried to be written after the grace is over."""
_HASTY_FLUSH_S = 1.0


class Worker:
    """Claims jobs and runs handlers until it is stopped.

    engine: a `Penstock` whose store is open. handlers: objects with `process_job(job)` or plain functions. queues: what
    it claims from, with their settings (default: the queues of its handlers' kinds; `concurrency` is then the slots of
    each). name: what logs and lists call it. build_id: the deployed version, shown in lists. grace_s: how long running
    jobs may go on when it stops; lease_s: how long it may be silent before its jobs are taken; kill_grace_s: how long a
    handler that is asked to stop has for it. duties: more work for whichever worker leads. handle_signals: `run` minds
    SIGTERM and SIGINT. Raises ConfigurationError for what cannot be right.
    """

    def __init__(
        self,
        engine: Engine,
        handlers: Sequence[object] | Registry,
        *,
        queues: Mapping[str, Queue] | None = None,
        name: str | None = None,
        concurrency: int | None = None,
        build_id: str | None = None,
        grace_s: float | None = None,
        lease_s: float | None = None,
        kill_grace_s: float = KILL_GRACE_S,
        duties: Sequence[Duty] = (),
        handle_signals: bool = True,
    ) -> None:
        registry = handlers if isinstance(handlers, Registry) else Registry(handlers)
        self._options = worker_options(
            engine.settings, registry, queues=queues, name=name, concurrency=concurrency, build_id=build_id,
            grace_s=grace_s, lease_s=lease_s, kill_grace_s=kill_grace_s,
        )  # fmt: skip
        self._plan = Blueprint(engine, registry, self._options, duties)
        self._handle_signals = handle_signals
        self._parts: Parts | None = None
        self._registration: Registration | None = None
        self._last_stats = WorkerStats.of({}, stubborn=0, unwritten=0)
        self._signals = 0
        self._failed = False
        self._code = EXIT_FINISHED
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self._stopping = asyncio.Lock()
        self._ending: asyncio.Task[int] | None = None

    @property
    def blueprint(self) -> Blueprint:
        """What it was made of: engine, registry, options and duties."""
        return self._plan

    @property
    def name(self) -> str:
        """What logs and lists call this worker."""
        return self._options.name

    async def run(self) -> int:
        """Work until a signal or a fault of the worker itself; answers the exit code.

        0: all jobs finished; 1: some were given back, or results could not be written; 130: a second signal came.
        """
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT) if self._handle_signals else ()
        for number in signals:
            loop.add_signal_handler(number, self._on_signal)
        try:
            await self.start()
            try:
                await self._asked.wait()
            finally:
                code = await self.stop()
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
        return code

    async def start(self) -> None:
        """Sign on and begin to work; for embedding in an application. Raises StoreUnavailable."""
        if self._parts is not None:
            raise RuntimeError(f"worker {self.name} runs already")
        registration = Registration(self._plan.engine.store, self._options, self._plan.registry)
        await registration.sign_on()
        await self._declare_schedules()
        self._registration = registration
        self._parts = parts = Parts(self._plan, registration, self._on_failure, self._on_outdated)
        for service in parts.services:
            await service.start()
        logger.info(
            "worker started", worker=self.name, queues=sorted(self._options.queues), number=registration.worker_id
        )

    async def stop(self, grace_s: float | None = None) -> int:
        """Claim no more, let running jobs finish for `grace_s`, give the rest back; answers the exit code as `run`."""
        async with self._stopping:
            if self._parts is not None and self._registration is not None:
                grace_s = self._options.grace_s if grace_s is None else grace_s
                self._code = await self._stop(self._parts, self._registration, grace_s)
        return self._code

    async def _stop(self, parts: Parts, registration: Registration, grace_s: float) -> int:
        until = time.monotonic() + grace_s
        parts.stopping = True
        await parts.fetcher.stop()
        finished = await self._let_finish(parts, until)
        flush_s = _HASTY_FLUSH_S if self._hurry.is_set() else max(_LAST_FLUSH_S, until - time.monotonic())
        written = await parts.completer.drain(flush_s)
        if not written:
            logger.error("results could not be written", unwritten=parts.completer.unwritten, worker=self.name)
        self._last_stats = parts.stats()
        for service in (
            parts.usage,
            parts.maintenance,
            parts.leader,
            parts.completer,
            parts.progress,
            parts.streams,
            parts.executor,
            parts.steps,
            parts.heartbeat,
        ):
            await service.stop()
        await self._sign_off(registration)
        self._last_stats = parts.stats()
        self._parts = None
        code = EXIT_FINISHED if finished and written and not self._failed else EXIT_GIVEN_BACK
        code = EXIT_SECOND_SIGNAL if self._signals > 1 else code
        logger.info("worker stopped", worker=self.name, code=code)
        return code

    def get_stats(self) -> WorkerStats:
        """What the worker has done and does now; after `stop` what it had done."""
        return self._parts.stats() if self._parts is not None else self._last_stats

    async def _declare_schedules(self) -> None:
        """Take over the schedules of this code, for the queues it serves."""
        store, declared = self._plan.engine.store, self._plan.engine.schedules
        queues = sorted(self._options.queues)
        await store.run(declare_schedules(list(declared.values()), queues, store.clock.now()))

    async def _let_finish(self, parts: Parts, until: float) -> bool:
        """Wait for running jobs until then, stop and release the others; False when jobs were given back."""
        await self._wait_idle(parts, until)
        if not parts.executor.held:
            return True
        left = parts.executor.stop_all(Stop.RELEASE, "the worker stops")
        logger.info("jobs do not finish in time and are given back", jobs=left, worker=self.name)
        await self._wait_idle(parts, time.monotonic() + self._options.kill_grace_s)
        parts.executor.give_up_all(Stop.RELEASE, "the worker stops")
        return False

    async def _wait_idle(self, parts: Parts, until: float) -> None:
        """Until no run is held, the time is over, or a second signal hurries us."""
        while parts.executor.held and (left := until - time.monotonic()) > 0 and not self._hurry.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), min(left, 0.02))

    async def _sign_off(self, registration: Registration) -> None:
        patience_s = _HASTY_FLUSH_S if self._hurry.is_set() else _LAST_FLUSH_S
        try:
            await asyncio.wait_for(registration.sign_off(), patience_s)
        except TimeoutError:
            logger.warning("the worker could not sign off in time; it will be taken for lost", worker=self.name)

    def _on_outdated(self, error: SchemaError) -> None:
        """The database was migrated beyond this code: claim no more, let jobs finish, and end `run`."""
        if self._registration is not None and self._registration.is_valid:
            logger.error(
                "this worker's code is too old for the database; it drains", worker=self.name, reason=str(error)
            )
            self._registration.void()
            self._asked.set()

    def _on_signal(self) -> None:
        self._signals += 1
        if self._signals == 1:
            logger.info("stopping; a second signal ends it at once", worker=self.name, grace_s=self._options.grace_s)
            self._asked.set()
        else:
            self._hurry.set()

    def _on_failure(self, service: str, error: BaseException) -> None:
        """A service ended with an error nobody expected: the worker stops rather than limps on."""
        logger.critical("a part of the worker failed; it stops", part=service, exc_info=error, worker=self.name)
        self._asked.set()
        if not self._failed:
            self._failed = True
            # For an application that embeds the worker and waits for nothing.
            self._ending = asyncio.get_running_loop().create_task(self.stop(), name="penstock-ending")
