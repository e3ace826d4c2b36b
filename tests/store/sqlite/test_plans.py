"""What is asked again and again reads no history."""

import sqlite3
from pathlib import Path

from penstock.store import migrations
from penstock.store.sqlite.migrate import migrate
from penstock.store.sqlite.runner import own_statements


def test_looking_for_what_is_past_its_time_goes_by_index(sqlite_path: Path):
    migrate(sqlite_path, migrations.load("penstock.store.sqlite.migrations"), "NORMAL")
    [sql] = own_statements()["prunable"]
    params = {"before": 1, "now": 1, "state": "completed", "queue": "q", "limit": 10}
    with sqlite3.connect(sqlite_path) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", params)]
    assert [step for step in plan if "penstock_jobs_finished (finished_at" in step], plan
    assert [step for step in plan if "penstock_job_data_retention" in step], plan
    assert not [step for step in plan if step.startswith(("SCAN j", "SCAN e", "SCAN f", "SCAN c"))]
