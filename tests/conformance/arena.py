"""Where the state machine plays: one store, one clock, a look inside, cleared between plays."""

import random
from dataclasses import dataclass
from typing import Any, NamedTuple

from penstock import Penstock
from penstock.domain.outcomes import Outcome, RunFacts, decide
from penstock.domain.retry import Fixed
from penstock.domain.states import JobState
from penstock.store.base import Store
from penstock.store.program import LaneKey, Program
from penstock.store.programs.claim import ClaimedJob
from penstock.store.programs.settle import RunEnd
from tests.conformance.databases import Database, Select
from tests.conformance.model import RETRY_US
from tests.support.clock import MovableClock

TABLES = ("jobs", "results", "progress", "errors", "unique_keys", "flows", "edges", "queues", "workers")


class JobNow(NamedTuple):
    """A job as the database has it."""

    state: JobState
    attempt: int
    losses: int
    due: int | None
    claim: int | None
    worker: int | None
    open_parents: int
    unmet_parent: str | None
    cancel_requested: bool


@dataclass(slots=True)
class Arena:
    """One database for many plays."""

    database: Database
    store: Store
    clock: MovableClock
    select: Select
    engine: Penstock

    def clear(self) -> None:
        """Empty all tables but the lanes, whose numbers stores remember."""
        tables = [*TABLES, "job_data"] if self.database.name == "sqlite" else TABLES
        self.database.execute(";".join(f"DELETE FROM ~{table}" for table in tables))  # noqa: S608 - a list of our own

    def run(self, program: Program[Any]) -> Any:
        """Run a program as an actor would."""
        return self.store.run_sync(program)

    def jobs(self) -> dict[str, JobNow]:
        """All jobs."""
        rows = self.select(
            "SELECT id, state, attempt, losses, due_at, claim_id, worker_id, open_parents, unmet_parent, "
            "cancel_requested_at IS NOT NULL FROM ~jobs"
        )
        return {row[0]: JobNow(JobState(row[1]), *row[2:9], bool(row[9])) for row in rows}

    def flows(self) -> dict[str, tuple[int, ...]]:
        """All flows: total, open, completed, failed, cancelled, finished."""
        rows = self.select("SELECT id, total, open, completed, failed, cancelled, finished_at IS NOT NULL FROM ~flows")
        return {row[0]: tuple(map(int, row[1:])) for row in rows}

    def keys(self) -> set[tuple[str, str]]:
        """All unique keys with their holders."""
        return {(row[0], row[1]) for row in self.select("SELECT key, job_id FROM ~unique_keys")}

    def end_of(self, job: ClaimedJob, outcome: Outcome, *, solo: bool) -> RunEnd:
        """What a worker would write for this run."""
        facts = RunFacts(
            job.level, job.attempts_before, job.losses_before, job.max_attempts, Fixed(RETRY_US / 1_000_000), None,
            job.deadline_at, job.position,
        )  # fmt: skip
        settlement = decide(outcome, facts, self.clock.now(), random.Random(0))
        return RunEnd(job.id, job.claim_id, LaneKey(job.queue, job.kind, solo=solo), settlement, None)
