"""What a job's state says and what its other columns say cannot disagree, whoever writes them."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.states import JobState
from penstock.store import migrations
from penstock.store.sqlite.migrate import migrate

CLAIMED: dict[str, Any] = {"claim_id": 7}
FINISHED: dict[str, Any] = {"finished_at": 9}
RIGHT: dict[JobState, list[dict[str, Any]]] = {
    JobState.READY: [{}, {"due_at": 5}],
    JobState.RUNNING: [CLAIMED],
    JobState.COMPLETED: [FINISHED],
    JobState.FAILED: [FINISHED],
    JobState.CANCELLED: [FINISHED],
    JobState.SCHEDULED: [{"due_at": 5}, {"reason": "concurrency"}],
    JobState.BLOCKED: [{"when_parents": "all_ended"}],
}
BARE = {JobState.SCHEDULED, JobState.BLOCKED}
"""States that need more than the absence of a claim and of an end."""


def wrong(state: JobState) -> list[dict]:
    facts = RIGHT[state][0]
    found = [facts | (CLAIMED if "claim_id" not in facts else {"claim_id": None})]
    found.append(facts | (FINISHED if "finished_at" not in facts else {"finished_at": None}))
    return [*found, {}] if state in BARE else found


@pytest.fixture
def connection(sqlite_path: Path):
    migrate(sqlite_path, migrations.load("penstock.store.sqlite.migrations"))
    connection = sqlite3.connect(sqlite_path, isolation_level=None)
    yield connection
    connection.close()


def write(connection: sqlite3.Connection, state: str, facts: dict) -> None:
    columns = {"id": "j", "lane_id": 1, "state": state, "max_attempts": 1, "position": 0, "created_at": 0} | facts
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT INTO penstock_jobs ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of columns
    connection.execute(insert, list(columns.values()))


@pytest.mark.parametrize(("state", "facts"), [(state, facts) for state in JobState for facts in RIGHT[state]])
def test_what_belongs_to_a_state_is_taken(connection, state, facts):
    write(connection, state, facts)


@pytest.mark.parametrize(("state", "facts"), [(state, facts) for state in JobState for facts in wrong(state)])
def test_what_does_not_belong_to_a_state_is_refused(connection, state, facts):
    with pytest.raises(sqlite3.IntegrityError, match="state_has_its_facts"):
        write(connection, state, facts)


@pytest.mark.parametrize("state", ["", "Ready", "pending"])
def test_an_unknown_state_is_refused(connection, state):
    with pytest.raises(sqlite3.IntegrityError, match="state_has_its_facts"):
        write(connection, state, {})
