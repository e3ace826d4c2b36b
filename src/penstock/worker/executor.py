"""The executor: runs claimed jobs and turns whatever happens into an outcome. It knows no store."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from penstock.clock import Clock
from penstock.context import Job
from penstock.domain.calls import calling
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Failed, Outcome
from penstock.registry import HandlerEntry, Registry
from penstock.worker import endings
from penstock.worker.deadlines import DeadlineWatch
from penstock.worker.loading import DataLoader, Unloadable
from penstock.worker.logs import get_logger
from penstock.worker.run import Run, Stop
from penstock.worker.service import OnFailure, Service
from penstock.worker.tasks import HandlerTasks
from penstock.worker.threads import HandlerThreads

logger = get_logger(__name__)

OnEnd: TypeAlias = Callable[[Run, Outcome | None], None]
"""Called once per run with its outcome; None: its handler has ended the job in a transaction of its own."""
OnFree: TypeAlias = Callable[[Run, float], None]
"""Called when a slot of the run's queue is free again, with the seconds it was taken."""


class Executor(Service):
    """Runs jobs, each in a task or a thread.

    timeouts: seconds by queue, for jobs without their own; threads: how many sync handlers run at once at most;
    kill_grace_s: how long a run that was asked to stop has for it. `on_end` and `on_free` are to be set
    before the first job.
    """

    on_end: OnEnd
    on_free: OnFree

    def __init__(
        self,
        registry: Registry,
        loader: DataLoader,
        clock: Clock,
        on_failure: OnFailure,
        *,
        timeouts: Mapping[str, float | None],
        threads: int,
        max_result_bytes: int,
        kill_grace_s: float = 5.0,
    ) -> None:
        super().__init__("executor", on_failure)
        self._registry = registry
        self._loader = loader
        self._clock = clock
        self._timeouts = timeouts
        self._max_result_bytes = max_result_bytes
        self._kill_grace_s = kill_grace_s
        self._threads = HandlerThreads(threads)
        self._watch = DeadlineWatch(clock, self._ask, self._kill)
        self._handlers = HandlerTasks(self._returned, self._raised, self._conclude)
        self._slots: Counter[str] = Counter()
        self.held: dict[str, Run] = {}
        self.stubborn: set[Run] = set()

    async def start(self) -> None:
        """Be ready to run jobs in this loop."""
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._handlers.open()

    async def stop(self) -> None:
        """Watch no more, and let the threads go. Runs must have ended or been given up before."""
        self._watch.close()
        self._threads.close()
        await super().stop()

    def slots_taken(self, queue: str) -> int:
        """How many handlers of this queue run, stubborn ones included."""
        return self._slots[queue]

    @property
    def busy(self) -> int:
        """How many handlers run, stubborn ones included."""
        return len(self.held) + len(self.stubborn)

    def execute(self, claimed: ClaimedJob, *, solo: bool = False) -> None:
        """Begin to run a job. Its end is told later, never from within this call."""
        before = self.held.get(claimed.id)
        if before is not None:  # this worker holds a newer claim of it: the older run's results will be refused
            self._ask(before, Stop.LOST, "the job was claimed again")
            self._give_up(before)
        entry = self._registry.find(claimed.kind)
        run = Run(claimed, entry, self._loop.time(), self._clock.now(), solo=solo)
        self.held[claimed.id] = run
        self._slots[claimed.queue] += 1
        try:
            run.options = self._loader.options(claimed)
            run.job = job = self._loader.job(run, self._timeouts.get(claimed.queue))
        except Unloadable as error:
            self._loop.call_soon(self._conclude, run, error.outcome)
            return
        if run.timeout_s is not None or claimed.deadline_at is not None:
            self._watch.add(run)
        if entry is not None and entry.is_async:
            self._handlers.add(run, entry, job)
        else:
            self._threads.submit(partial(self._context.copy().run, self._live_in_thread, run, job))

    def cancel(self, job_id: str, reason: str) -> bool:
        """Ask the run of this job to stop because its cancel was requested; False when it does not run here."""
        run = self.held.get(job_id)
        if run is None:
            return False
        self._ask(run, Stop.CANCEL, reason)
        return True

    def stop_all(self, stop: Stop, reason: str) -> int:
        """Ask all runs to stop; answers how many had not been asked before."""
        runs = [run for run in self.held.values() if run.stop is None]
        for run in runs:
            self._ask(run, stop, reason)
        return len(runs)

    def give_up_all(self, stop: Stop, reason: str) -> int:
        """Decide the outcome of all runs that have not ended, whether or not they stop; answers how many."""
        runs = list(self.held.values())
        for run in runs:
            self._ask(run, stop, reason)
            self._kill(run)
        return len(runs)

    def _ask(self, run: Run, stop: Stop, reason: str) -> None:
        """Offer the run to stop; the first reason stays."""
        if run.stop is not None:
            return
        run.stop, run.stop_reason = stop, reason
        run.kill_at = self._loop.time() + self._kill_grace_s
        self._watch.add(run)
        if run.job is not None:
            run.job.cancel_signal.set(reason)
        if run.entered and run.task is not None:
            run.task.cancel(reason)

    def _live_in_thread(self, run: Run, job: Job[Any]) -> None:
        outcome: Outcome | None = None
        try:
            if run.stop is None and run.entry is not None:
                run.entered = True
                with calling(job):
                    outcome = self._returned(run.entry, run.entry.call(job))
        except BaseException as error:  # noqa: BLE001 - a handler's exit must not end the worker; a thread comes back
            outcome = self._raised(run, error)
        try:
            self._loop.call_soon_threadsafe(self._conclude, run, outcome)
        except RuntimeError:
            logger.warning("a handler came back after its worker had stopped", **_fields(run))

    def _returned(self, entry: HandlerEntry, result: Any) -> Outcome:
        return endings.of_result(entry, result, self._max_result_bytes)

    def _raised(self, run: Run, error: BaseException) -> Outcome:
        if run.ended_inside:
            logger.error("the handler raised after it had ended its job", exc_info=error, **_fields(run))
        outcome = endings.of_error(error, self._clock.now())
        return self._loader.cleaned(run.claimed, outcome) if isinstance(outcome, Failed) else outcome

    def _conclude(self, run: Run, outcome: Outcome | None) -> None:
        """The handler has ended."""
        if run.concluded:
            self.stubborn.discard(run)
            logger.info("a handler that would not stop has ended", seconds=self._age(run), **_fields(run))
        else:
            self._tell(run, outcome)
        self._slots[run.claimed.queue] -= 1
        self.on_free(run, self._loop.time() - run.began)

    def _kill(self, run: Run) -> None:
        logger.warning("a handler does not stop", seconds=self._age(run), asked=run.stop_reason, **_fields(run))
        self._give_up(run)

    def _give_up(self, run: Run) -> None:
        """The handler goes on, its outcome is decided all the same. Its slot stays taken."""
        self.stubborn.add(run)
        self._tell(run, None)

    def _tell(self, run: Run, outcome: Outcome | None) -> None:
        run.concluded = True
        self._watch.drop(run)
        if self.held.get(run.claimed.id) is run:
            del self.held[run.claimed.id]
        if run.stop is not None:
            outcome = endings.of_stop(run, outcome)
        self._loader.forget(run.claimed)
        self.on_end(run, None if run.ended_inside else outcome)

    def _age(self, run: Run) -> float:
        return round(self._loop.time() - run.began, 6)


def _fields(run: Run) -> dict[str, Any]:
    claimed = run.claimed
    return {"job_id": claimed.id, "kind": claimed.kind, "attempt": claimed.attempts_before + 1}
