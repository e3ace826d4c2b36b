"""The checker is worth nothing unless it catches what it is there for: a planted fault of each sort, on both stores."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.types.string import TextLoader

from tests.chaos.app import EFFECTS
from tests.chaos.effects import Effect, EffectLog, read_effects
from tests.chaos.ground import Ground, shared_server, sqlite_file
from tests.chaos.planting import FAULTS, Fault, Scene
from tests.chaos.stage import Size, stage
from tests.conformance.databases import PostgresDatabase, Select, SqliteDatabase

STORES = ("sqlite", "postgres")
CASES = [pytest.param(store, fault, id=f"{fault.name}-{store}") for fault in FAULTS for store in fault.stores]


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """On each store what a worker and a producer leave behind when nothing goes wrong."""
    folders = {store: tmp_path_factory.mktemp(store) for store in STORES}
    with sqlite_file(folders["sqlite"]) as file, shared_server(folders["postgres"]) as server:
        scenes = {ground.store: Scene(ground, folders[ground.store]) for ground in (file, server)}
        for scene in scenes.values():
            _write_history(scene)
        yield scenes


def _write_history(scene: Scene) -> None:
    with stage(scene.ground, scene.folder, Size(jobs=40, flows=1, workers=1, pace_s=0), "1", lease_s=10) as acted:
        acted.start()
        acted.finish()
    assert not acted.wrong


@dataclass(slots=True, kw_only=True)
class OpenTransaction(PostgresDatabase):
    """A database seen and changed through one connection, whose transaction is never committed."""

    connection: psycopg.Connection

    @contextmanager
    def looking(self) -> Iterator[Select]:
        """See `Database`."""
        yield lambda sql, *values: self.connection.execute(_theirs(sql), values or None).fetchall()

    def execute(self, sql: str) -> None:
        """See `Database`."""
        self.connection.execute(_theirs(sql))


def _theirs(sql: str) -> bytes:
    return sql.replace("~", "penstock.").replace("?", "%s").encode()


@contextmanager
def _spoilable(scene: Scene, folder: Path) -> Iterator[Scene]:
    """The same history, to be spoilt: a copy of the file, or a transaction that is rolled back."""
    for log in (EFFECTS, "producer-1.told"):
        shutil.copy(scene.folder / log, folder)
    if scene.ground.store == "sqlite":
        path = folder / "chaos.db"
        with closing(sqlite3.connect(scene.folder / "chaos.db")) as old, closing(sqlite3.connect(path)) as new:
            old.backup(new)
        yield Scene(Ground("sqlite", f"sqlite:///{path}", SqliteDatabase(path)), folder)
        return
    url = scene.ground.url
    with closing(psycopg.connect(url)) as connection:
        connection.adapters.register_loader("uuid", TextLoader)
        database = OpenTransaction(url=url, connection=connection)
        yield Scene(Ground("postgres", url, database), folder, connection)


@pytest.mark.parametrize("store", STORES)
def test_it_finds_nothing_in_a_history_that_is_right(histories: dict[str, Scene], store: str) -> None:
    assert histories[store].found(losses=False) == []


@pytest.mark.parametrize(("store", "fault"), CASES)
def test_it_names_a_planted_fault(histories: dict[str, Scene], store: str, fault: Fault, tmp_path: Path) -> None:
    with _spoilable(histories[store], tmp_path) as scene:
        concerned = fault.plant(scene)
        found = scene.found(losses=fault.losses)
    assert (fault.rule, concerned) in {(violation.rule, violation.job) for violation in found}, found


def test_a_line_cut_off_by_a_kill_spoils_no_other(tmp_path: Path) -> None:
    log, whole = tmp_path / "log", Effect("begin", "piece", "a", 1, 2, 3, 4)
    writer = EffectLog(log)
    writer.write_all([whole])
    with log.open("a") as cut:
        cut.write(whole.line()[:-5])
    writer.write_all([whole])
    assert read_effects(log) == [whole, whole]
