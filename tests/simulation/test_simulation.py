"""The engine keeps its promises whatever order its callers come in; and the simulation would notice if it did not."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping

import pytest

from penstock.store import statements
from penstock.store.sqlite.runner import own_statements, prepare
from tests.simulation.database import Database
from tests.simulation.schedule import Ran, run_schedule
from tests.simulation.simulate import simulate, tell, tell_failure

SECONDS = 20
ENOUGH = 300
"""Schedules in which everything that must happen does happen, by a wide margin."""
REPLAYED = (3, 14, 159)
FIXED = (1, 12, 17, 40)
"""The same on every run; a seed that breaks a promise is added here. What a seed means changes with the simulation."""
WITHIN = 150
"""Schedules in which a planted fault is found."""


@pytest.mark.timeout(300)  # it is as long as ENOUGH schedules take on a crowded machine
def test_promises_hold_in_any_order():
    seed = time.time_ns() // 1_000_000
    sys.stdout.write(f"seeds from {seed}\n")  # pytest shows it when the test fails
    report = simulate(seed, lambda schedules, seconds: seconds < SECONDS or schedules < ENOUGH)
    assert report.failure is None, tell(report, with_counts=False)
    assert not report.missing, f"in {report.schedules} schedules from seed {seed} these never happened"


@pytest.mark.parametrize("seed", FIXED)
def test_promises_hold_for_fixed_seeds(seed: int):
    ran = run_schedule(Database(own_statements()), seed)
    assert ran.error is None, tell_failure(ran)


def story(ran: Ran) -> list[str]:
    """All that happened, as text."""
    return [str(event) for event in ran.trace]


def test_a_seed_replays_exactly():
    used = Database(own_statements())
    first = [story(run_schedule(used, seed)) for seed in REPLAYED]
    again = [story(run_schedule(Database(own_statements()), seed)) for seed in REPLAYED]
    assert first == again
    assert len({str(one) for one in first}) == len(REPLAYED)


def test_a_seed_replays_exactly_in_another_process():
    code = (
        "import hashlib, tests.simulation.test_simulation as t\n"
        "told = [t.story(t.run_schedule(t.Database(t.own_statements()), seed)) for seed in t.REPLAYED]\n"
        "print(hashlib.sha256(repr(told).encode()).hexdigest())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": salt}, check=True, capture_output=True
        ).stdout
        for salt in ("1", "2")
    }
    assert len(answers) == 1, "what happens depends on the order of sets"


FAULTS: Mapping[str, tuple[str, str, str]] = {
    "a late run ends the job of a newer one": (
        "settle",
        "WHERE j.id = r.id AND j.claim_id = r.claim AND j.state = 'running'",
        "WHERE j.id = r.id AND j.state = 'running'",
    ),
    "an ended job can be ended again": (
        "settle",
        "WHERE j.id = r.id AND j.claim_id = r.claim AND j.state = 'running'",
        "WHERE j.id = r.id AND (j.claim_id = r.claim OR j.state = 'failed')",
    ),
    "a child's counter falls twice": (
        "advance_children",
        "open_parents = j.open_parents - e.n",
        "open_parents = max(0, j.open_parents - 2 * e.n)",
    ),
    "a fan-in starts before its last parent": (
        "advance_children",
        "open_parents = j.open_parents - e.n",
        "open_parents = max(0, j.open_parents - e.n - (j.open_parents >= 3))",
    ),
    "a late run completes the job of a newer one": (
        "complete",
        "WHERE j.id = r.id AND j.claim_id = r.claim AND j.state = 'running'",
        "WHERE j.id = r.id AND j.state = 'running'",
    ),
    "an attempt is not counted": ("settle", "attempt = r.attempt", "attempt = min(r.attempt, 1)"),
    "a cancelled run completes": (
        "settle",
        "state = CASE WHEN j.cancel_requested_at IS NULL THEN r.state ELSE 'cancelled' END",
        "state = CASE WHEN j.cancel_requested_at IS NULL OR r.state = 'completed' THEN r.state ELSE 'cancelled' END",
    ),
    "a unique key is never let go": ("release_unique", "WHERE scope = 'active'", "WHERE scope = 'never'"),
    "a lost worker's runs stay": ("runs_of_worker", "ORDER BY id LIMIT :limit", "ORDER BY id LIMIT 0"),
    "the oldest goes last": ("claim", "ORDER BY band, turn, position LIMIT", "ORDER BY band, turn, -position LIMIT"),
    "a late run streams": (
        "write_streams",
        "WHERE j.claim_id = json_extract(w.value, '$.claim') AND j.state = 'running' AND j.cancel_requested_at IS NULL",
        "WHERE j.claim_id IS NOT 0",
    ),
    "a handler's write is not fenced": ("hold_claim", "claim_id = :claim_id", "claim_id IS NOT :job_id"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_planted_fault_is_found(what: str):
    name, right, wrong = FAULTS[what]
    texts = statements.load("penstock.store.sqlite.sql")
    assert right in texts[name]
    texts[name] = texts[name].replace(right, wrong)
    report = simulate(1, lambda schedules, _: schedules < WITHIN, prepare(texts))
    assert report.failure is not None, f"{report.schedules} schedules, and nobody noticed"
    sys.stdout.write(tell_failure(report.failure))
    assert f"--seed {report.failure.seed} " in tell(report)
