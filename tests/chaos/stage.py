"""What a scenario acts with: its ground, its crew, dice thrown from the seed, notes of when each fault was over."""

import asyncio
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from penstock import JobData, Penstock
from tests.chaos.app import EFFECTS, Load, Orders
from tests.chaos.crew import Crew, Member
from tests.chaos.effects import Effect, EffectLog, read_effects
from tests.chaos.evidence import unfinished
from tests.chaos.ground import Ground

PATIENCE_S = 60.0
LOOK_S = 0.03


@dataclass(frozen=True, slots=True)
class Size:
    """How large a scenario is. faults: how many times it harms; pause_s: about how long a fault lasts, or until the

    next; pace_s: about so long between two commits of a producer.
    """

    jobs: int
    flows: int
    faults: int = 3
    pause_s: float = 0.3
    pace_s: float = 0.05
    workers: int = 2
    producers: int = 1


@dataclass(slots=True)
class Stage:
    """`faults`: wall-clock times (s) at which a fault was over. `wrong`: what the scenario itself saw amiss."""

    ground: Ground
    folder: Path
    crew: Crew
    size: Size
    dice: random.Random
    faults: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Start the workers and the producers of the scenario's size; the workers are known to the store then."""
        pids = {worker.pid for worker in self.crew.add_workers(self.size.workers)}
        self.wait_for(lambda: pids <= self.registered(), "the registration of all workers")
        self.start_producers()

    def start_producers(self) -> None:
        """Start the producers alone."""
        self.crew.add_producers(self.size.producers, Load(self.size.jobs, self.size.flows, pace_s=self.size.pace_s))

    def enqueue(self, *jobs: JobData) -> list[str]:
        """Commit jobs from here; their ids."""
        penstock = Penstock(self.ground.url)
        try:
            handles = penstock.sync.enqueue_many(jobs)
        finally:
            asyncio.run(penstock.close())
        EffectLog(self.folder / "stage.told").told((handle.kind, handle.id) for handle in handles)
        return [handle.id for handle in handles]

    def moments(self) -> Iterator[int]:
        """As many as there are faults, spread at random over the work on the load; each is waited for."""
        whole = self.size.jobs + self.size.flows
        for number, share in enumerate(sorted(self.dice.uniform(0.05, 0.9) for _ in range(self.size.faults))):
            wanted = int(share * whole)
            self.wait_for(lambda wanted=wanted: self.ended() >= wanted, f"{wanted} ended runs")  # type: ignore[misc]
            yield number

    def pause(self) -> None:
        """A random time, about `pause_s`: how long a fault lasts is the scenario's own choice."""
        time.sleep(self.dice.uniform(0.5, 1.5) * self.size.pause_s)

    def fault_over(self) -> None:
        """From now on things can get better."""
        self.faults.append(time.time())

    def effects(self, what: str, kind: str = "") -> list[Effect]:
        """The lines of the handlers so far that say `what`."""
        return [line for line in read_effects(self.folder / EFFECTS) if line.what == what and kind in ("", line.kind)]

    def ended(self) -> int:
        """How many runs have said that they are done."""
        log = self.folder / EFFECTS
        return log.read_bytes().count(b"\nend ") if log.exists() else 0

    def has_ended(self, job: str) -> bool:
        """Whether a run of this job has said that it is done."""
        return any(line.job == job for line in self.effects("end"))

    def wait_for(self, fact: Callable[[], bool], what: str) -> None:
        """Wait until it is so, also for a store that is away. Raises TimeoutError naming what did not come about."""
        until = time.monotonic() + PATIENCE_S
        while not self._is_so(fact):
            if time.monotonic() > until:
                raise TimeoutError(f"{what} did not come about within {PATIENCE_S:g} s; see {self.folder}")
            time.sleep(LOOK_S)

    def freeze(self, member: Member) -> None:
        """SIGSTOP, but not while it holds the write lock of a SQLite file: that would stop all others with it."""
        while True:
            member.send(signal.SIGSTOP)
            if self.ground.store == "postgres" or self._lock_is_free():
                return
            member.send(signal.SIGCONT)
            time.sleep(LOOK_S)

    def _lock_is_free(self) -> bool:
        with closing(sqlite3.connect(self.folder / "chaos.db", timeout=0.5, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            connection.execute("ROLLBACK")
            return True

    def registered(self) -> set[int]:
        """The process ids of the workers that the store knows."""
        return {pid for (pid,) in self.ground.database.select("SELECT pid FROM ~workers")}

    def is_stopping(self, member: Member) -> bool:
        """Whether the store has heard that this worker stops."""
        return bool(self.ground.database.select("SELECT 1 FROM ~workers WHERE pid = ? AND stopping", member.pid))

    def is_done(self) -> bool:
        """Whether everything was produced and has ended."""
        return not self.crew.produces and unfinished(self.ground.database) == 0

    def finish(self) -> None:
        """Wait until everything has ended; then the workers end, each with 0."""
        self.wait_for(self.is_done, "the end of all jobs")
        codes = self.crew.end()
        self.wrong += [f"{name} ended with {code}, not 0" for name, code in codes.items() if code != 0]
        self.ground.number_events()

    @staticmethod
    def _is_so(fact: Callable[[], bool]) -> bool:
        try:
            return fact()
        except (psycopg.OperationalError, sqlite3.OperationalError):
            return False


@contextmanager
def stage(ground: Ground, folder: Path, size: Size, seed: str, lease_s: float) -> Iterator[Stage]:
    """A stage whose processes are gone at the exit."""
    dice = random.Random(seed)
    with Crew(Orders(ground.url, folder, lease_s), dice.randrange(1 << 32)) as crew:
        yield Stage(ground, folder, crew, size, dice)
