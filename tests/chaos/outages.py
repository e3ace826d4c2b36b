"""Scenarios in which the store is harmed, or taken away."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psycopg

from tests.chaos.app import QUOTA, set_switch
from tests.chaos.case import Allowed
from tests.chaos.ground import Ground, own_server, shared_server, sqlite_file
from tests.chaos.scenario import Scenario
from tests.chaos.stage import Size, Stage
from tests.conformance.databases import PostgresDatabase
from tests.support.cluster import StopMode

CONNECTIONS = 100
"""What the small server allows, and how many of them strangers hold."""
IDLE = 90
UNLIMITED = 1 << 30
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'penstock'"
)


def stop_fast(stage: Stage) -> None:
    """PostgreSQL is stopped (fast) in the middle of the work, stays away for a while, and is started again."""
    _stop_server(stage, "fast")


def stop_immediate(stage: Stage) -> None:
    """The same with the immediate shutdown: nothing is flushed, claims that were not on the disk are forgotten."""
    _stop_server(stage, "immediate")


def _stop_server(stage: Stage, mode: StopMode) -> None:
    if stage.ground.cluster is None:
        raise ValueError("this scenario needs a server of its own")
    stage.start()
    for _ in stage.moments():
        stage.ground.cluster.stop(mode)
        stage.pause()
        stage.ground.cluster.start()
        stage.fault_over()
    stage.finish()


def terminate_backends(stage: Stage) -> None:
    """`pg_terminate_backend` of all our connections, twice a second."""
    stage.start()
    for _ in range(stage.size.faults):
        time.sleep(0.5)
        with psycopg.connect(stage.ground.url, autocommit=True, application_name="chaos") as connection:
            connection.execute(CUT)
        stage.fault_over()
    stage.finish()


def starve(stage: Stage) -> None:
    """Strangers hold 90 of the 100 connections, idle: what is left has to do for all of us."""
    with _strangers(stage.ground.url):
        stage.start()
        stage.wait_for(lambda: stage.ended() > 0, "progress on what is left")
    stage.fault_over()
    for _ in stage.moments():
        with _strangers(stage.ground.url):
            stage.pause()
        stage.fault_over()
    stage.finish()


@contextmanager
def _strangers(url: str) -> Iterator[None]:
    """90 connections that do nothing; fewer when we have more than the other ten already."""
    with ExitStack() as held:
        with suppress(psycopg.OperationalError):
            for _ in range(IDLE):
                held.enter_context(psycopg.connect(url, application_name="stranger"))
        yield


@contextmanager
def small_server(folder: Path) -> Iterator[Ground]:
    """A database that takes 100 connections, for a role that no reserve is kept for; who looks on needs none."""
    with own_server(folder) as ground:
        with psycopg.connect(ground.url, autocommit=True) as connection:
            connection.execute("CREATE ROLE chaos LOGIN")
            connection.execute(f"CREATE DATABASE chaos OWNER chaos CONNECTION LIMIT {CONNECTIONS}")
        database = ground.url.removesuffix("postgres") + "chaos"
        url = database.replace("postgres@", "chaos@")
        small = Ground("postgres", url, PostgresDatabase(url), ground.cluster)
        small.prepare()
        yield replace(small, database=PostgresDatabase(database))


def fill_disk(stage: Stage) -> None:
    """The SQLite file may not grow for a while (`max_page_count`): every write that needs a page is refused as full."""
    stage.start()
    quota = stage.folder / QUOTA
    for _ in stage.moments():
        before = _refusals(stage.folder)
        set_switch(quota, 1)
        stage.wait_for(lambda before=before: _refusals(stage.folder) > before, "a full disk")  # type: ignore[misc]
        stage.pause()
        set_switch(quota, UNLIMITED)
        stage.fault_over()
    stage.finish()


def _refusals(folder: Path) -> int:
    return sum(log.read_bytes().count(b"SQLITE_FULL") for log in folder.glob("*.log"))


def share_file(stage: Stage) -> None:
    """Four workers and two producers on one file, and a stranger who takes its write lock now and then."""
    stage.start()
    for _ in stage.moments():
        with closing(sqlite3.connect(stage.folder / "chaos.db", isolation_level=None, timeout=30)) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            stage.pause()
            stranger.execute("ROLLBACK")
        stage.fault_over()
    stage.wait_for(lambda: len({line.pid for line in stage.effects("end")}) == stage.size.workers, "work by all four")
    stage.finish()


_STOPS_SHORT = Size(jobs=200, flows=5, faults=2, pause_s=0.7, pace_s=0.1)
_STOPS_LONG = Size(jobs=5000, flows=50, faults=12, pause_s=2.0, pace_s=0.1, workers=3)
OUTAGES = (
    Scenario(
        "stop-fast", stop_fast, {"postgres": own_server}, _STOPS_SHORT, _STOPS_LONG
    ),
    Scenario(
        "stop-immediate", stop_immediate, {"postgres": own_server}, _STOPS_SHORT, _STOPS_LONG,
        allowed=Allowed(forgetful=True),
    ),
    Scenario(
        "terminate", terminate_backends, {"postgres": shared_server},
        short=Size(jobs=200, flows=5, faults=6, pace_s=0.3),
        long=Size(jobs=5000, flows=50, faults=120, pace_s=0.3, workers=3),
    ),
    Scenario(
        "starve", starve, {"postgres": small_server},
        short=Size(jobs=200, flows=5, faults=2, pause_s=1.0, pace_s=0.1),
        long=Size(jobs=5000, flows=50, faults=6, pause_s=8.0, pace_s=0.1),
    ),
    Scenario(
        "disk-full", fill_disk, {"sqlite": sqlite_file}, switches={QUOTA: UNLIMITED},
        short=Size(jobs=300, flows=5, faults=2, pause_s=0.7, pace_s=0.02),
        long=Size(jobs=5000, flows=50, faults=10, pause_s=3.0, pace_s=0.05),
    ),
    Scenario(
        "four-processes", share_file, {"sqlite": sqlite_file},
        short=Size(jobs=400, flows=6, faults=3, pause_s=0.3, pace_s=0.03, workers=4, producers=2),
        long=Size(jobs=5000, flows=50, faults=20, pause_s=0.5, pace_s=0.1, workers=4, producers=2),
    ),
)  # fmt: skip
