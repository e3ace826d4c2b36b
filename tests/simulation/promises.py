"""What must hold of any step, stated from the tables alone: the oracle might share an error with the engine."""

from collections import Counter
from typing import Any

from penstock.domain.flows import When
from penstock.domain.outcomes import MAX_LOSSES
from penstock.domain.states import FINAL, LEGAL, WAITING, JobState
from tests.conformance.tables import FlowRow, JobRow, Tables
from tests.simulation.database import TOTALS
from tests.simulation.steps import Step

_RETRIES = {"retry_job", "retry_flow"}
_MAY_END_AT_ONCE = (None, JobState.CANCELLED)
"""A job that is enqueued after ones that spoiled its condition already."""


class Promises:
    """Looks at what each step changed."""

    def __init__(self) -> None:
        self._claims: set[int] = set()
        self._ended: set[tuple[str, int]] = set()

    def look(self, step: Step[Any], before: Tables, after: Tables, seen: Counter[str]) -> None:
        """Raise AssertionError when a promise is broken; count what happened."""
        name = step.program.name
        fresh: set[int] = set()
        for id_, row in after.jobs.items():
            old = before.jobs.get(id_)
            if old == row:
                continue
            was, state = None if old is None else JobState(old.state), JobState(row.state)
            if was is not state:
                seen[f"{was or 'new'} to {state}"] += 1
                assert (was, state) in LEGAL or (was, state) == _MAY_END_AT_ONCE, f"{id_}: {was} -> {state}"
                assert was not in FINAL or name in _RETRIES, f"{id_} was {was} for good, and {name} made it {state}"
            if was is JobState.BLOCKED and state in WAITING and name not in _RETRIES and state is not was:
                self._check_parents(row, after)
                seen["start after others"] += 1
            if state is JobState.RUNNING and row.claim is not None and was is not JobState.RUNNING:
                assert row.claim not in self._claims, f"{id_}: claim {row.claim} was used before"
                fresh.add(row.claim)
            if old is not None and old.claim is not None and state is not JobState.RUNNING:
                self._check_fence(step, old, row)
            assert row.attempt <= row.max_attempts, f"{id_}: {row.attempt} attempts of {row.max_attempts}"
            assert row.losses <= MAX_LOSSES, f"{id_}: {row.losses} losses"
            assert old is None or row.attempt >= old.attempt or name in _RETRIES, f"{id_}: an attempt was forgotten"
        self._claims |= fresh
        self._check_nothing_lost(name, before, after, seen)
        for queue, total in TOTALS.items():
            running = sum(row.state == JobState.RUNNING and row.queue == queue for row in after.jobs.values())
            assert running <= total, f"{running} jobs run in {queue}, which allows {total}"

    def _check_fence(self, step: Step[Any], old: JobRow, row: JobRow) -> None:
        """A run is ended by who holds its claim, and once."""
        key = (old.id, old.claim or 0)
        assert key in step.fences or old.worker == step.takes, f"{step.program.name} ended {key} of somebody else"
        assert key not in self._ended, f"the run {key} was ended twice"
        self._ended.add(key)
        assert old.stop_asked_at is None or row.state == JobState.CANCELLED, f"{row.id} went on after its cancel"

    @staticmethod
    def _check_parents(row: JobRow, tables: Tables) -> None:
        """A job starts when the jobs and flows before it stand as its condition says; what is gone has completed."""
        stand = Counter(_standing(tables, parent) for parent, child in tables.edges if child == row.id)
        match row.when:
            case When.ANY_COMPLETED:
                holds = bool(stand["ok"])
            case When.ALL_COMPLETED:
                holds = not stand["open"] and not stand["bad"]
            case _:
                holds = not stand["open"]
        assert holds, f"{row.id} was started, and before it are {dict(stand)} ({row.when})"

    @staticmethod
    def _check_nothing_lost(name: str, before: Tables, after: Tables, seen: Counter[str]) -> None:
        gone = before.jobs.keys() - after.jobs.keys()
        assert not gone or name == "prune", f"{name} lost {gone}"
        for id_ in gone:
            seen["pruned"] += 1
            assert before.jobs[id_].state in FINAL, f"{id_} was pruned while it was {before.jobs[id_].state}"


def _standing(tables: Tables, node: str) -> str:
    job = tables.jobs.get(node)
    if job is not None:
        return "open" if job.state not in FINAL else "ok" if job.state == JobState.COMPLETED else "bad"
    flow: FlowRow | None = tables.flows.get(node)
    if flow is None:
        return "ok"
    return "open" if flow.finished is None else "bad" if flow.failed or flow.cancelled else "ok"
