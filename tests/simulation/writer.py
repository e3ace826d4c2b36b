"""A worker's completer: it writes how runs ended until an answer says that this is written."""

from functools import partial

from penstock.errors import StoreUnavailable
from tests.conformance.model_ground import Run
from tests.simulation import steps
from tests.simulation.oracle import Ending
from tests.simulation.scheduler import Asking, Life, Process, Scheduler

_BATCH = 8
_FLIGHTS = 2
"""As where the store writes side by side: with more at once more goes wrong."""


class Writer:
    """Writes for one process, as `penstock.worker.completer` does. `runs`: whose ends are not known to be written."""

    def __init__(self, process: Process, scheduler: Scheduler) -> None:
        self.runs: set[Run] = set()
        self._process = process
        self._world = process.world
        self._scheduler = scheduler
        self._waiting: list[Ending] = []
        self._flights = 0

    def add(self, ending: Ending) -> None:
        """Have an ending written, soon, together with what comes meanwhile."""
        self._waiting.append(ending)
        self.runs.add(ending.run)
        if self._flights < _FLIGHTS:
            self._flights += 1
            self._scheduler.spawn(self._process, self._write())

    def _write(self) -> Life:
        yield self._world.rng.choice((0.0, 0.0, 0.5))
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            yield from self._deliver(batch)
            self.runs -= {ending.run for ending in batch}
        self._flights -= 1

    def _deliver(self, batch: list[Ending]) -> Life:
        """Write a batch until an answer comes; what was written already is then refused."""
        tries, left = 0, batch
        written: set[str] = set()
        while left:
            tries += 1
            try:
                done, left = yield from self._complete(left)
                written |= done
                if left:
                    settled = yield from self._process.ask(partial(steps.settling, left, worker=self._process.name))
                    written |= settled.keys()
                break
            except StoreUnavailable:
                yield 0.5
        refused = sum(ending.run.job not in written for ending in batch)
        self._world.seen["endings written"] += len(batch) - refused
        if refused:
            self._world.seen["ending delivered twice" if tries > 1 else "late ending refused"] += 1

    def _complete(self, endings: list[Ending]) -> Asking[tuple[set[str], list[Ending]]]:
        """The short way for plain ends; the jobs that it ended, and what is left for the long one."""
        plain = {ending.run.job: ending for ending in endings if not ending.row.tied}
        if not plain:
            return set(), endings
        done = plain.keys() - (yield from self._process.ask(partial(steps.completing, list(plain.values()))))
        yield self._world.rng.choice((0.0, 0.0, 1.0))
        return done, [end for end in endings if end.run.job not in done or plain.get(end.run.job) is not end]
