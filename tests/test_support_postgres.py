"""The tests' own PostgreSQL: found, started, stopped, killed, with databases of one test each."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.support import cluster as cluster_module
from tests.support.cluster import StopMode
from tests.support.postgres import Cluster, Server, create_database, drop_database, find_server, running_server

# Port 1 is reserved (tcpmux) and nobody listens there.
NO_SERVER = "127.0.0.1:1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as started:
        yield started


def names(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_a_database_is_empty_randomly_named_and_dropped_while_in_use(postgres_server: Server) -> None:
    first, second = create_database(postgres_server), create_database(postgres_server)
    assert first != second
    name = first.rpartition("/")[2]
    assert name.startswith("penstock_test_")
    assert name in names(postgres_server.url)
    with closing(psycopg.connect(first)) as left_open:
        tables = left_open.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        assert tables.fetchone() == (0,)
        drop_database(first)
    drop_database(second)
    assert not {name, second.rpartition("/")[2]} & names(postgres_server.url)


def test_only_databases_of_the_tests_are_dropped(postgres_server: Server) -> None:
    with pytest.raises(ValueError, match="'postgres' is not a database of the tests"):
        drop_database(postgres_server.url)


def test_each_test_gets_a_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.info.dbname.startswith("penstock_test_")


def test_a_named_server_is_used(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_TEST_POSTGRES", cluster.url)
    assert find_server() == Server(cluster.url)


def test_a_named_server_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_TEST_POSTGRES", f"postgresql://{NO_SERVER}/postgres")
    with pytest.raises(psycopg.OperationalError):
        find_server()


def test_a_named_server_must_allow_creating_databases(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(cluster.url) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
    monkeypatch.setenv("PENSTOCK_TEST_POSTGRES", cluster.url.replace("postgres@", "guest@"))
    with pytest.raises(ValueError, match="PENSTOCK_TEST_POSTGRES: the role must be allowed to create databases"):
        find_server()


def test_a_local_server_is_found(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_TEST_POSTGRES", raising=False)
    found = find_server(cluster.url.split("@")[1].split("/")[0])
    assert found == Server(cluster.url)


def test_without_any_server_an_embedded_one_runs_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_TEST_POSTGRES", raising=False)
    assert find_server(NO_SERVER) is None
    with running_server(NO_SERVER) as server:
        url = create_database(server)
        assert url.rpartition("/")[2] in names(server.url)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate", "kill"])
def test_a_cluster_keeps_address_and_data_over_a_restart(cluster: Cluster, mode: StopMode) -> None:
    url = cluster.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    cluster.restart(mode)
    assert cluster.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
        connection.execute("DROP TABLE kept")


def test_a_kill_ends_also_a_server_process_that_is_busy(cluster: Cluster) -> None:
    with closing(psycopg.connect(cluster.url)) as busy, psycopg.connect(cluster.url, autocommit=True) as watching:
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b")
        state = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        while watching.execute(state, [busy.info.backend_pid]).fetchone() != ("active",):
            pass
        cluster.restart("kill")
    with psycopg.connect(cluster.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_stopped_cluster_is_unreachable_and_starts_again(cluster: Cluster) -> None:
    with closing(psycopg.connect(cluster.url)) as connection:
        cluster.stop("kill")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(cluster.url)
    cluster.stop()
    cluster.start()
    with pytest.raises(RuntimeError, match="already running"):
        cluster.start()


def test_a_cluster_leaves_no_files() -> None:
    with Cluster() as started:
        folder = started._folder
        assert folder.exists()
    assert not folder.exists()


def test_programs_the_server_may_not_enter_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = cluster_module.find_programs()
    site_packages = tmp_path / "shut"
    site_packages.symlink_to(programs.parents[2])
    tmp_path.chmod(0o700)
    monkeypatch.setattr(cluster_module, "find_programs", lambda: site_packages.joinpath(*programs.parts[-3:]))
    with Cluster() as started, psycopg.connect(started.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_cannot_start_says_why(cluster: Cluster) -> None:
    cluster.stop()
    settings = cluster._data / "postgresql.conf"
    good = settings.read_text()
    settings.write_text(good + "\nno_such_setting = 1\n")
    with pytest.raises(RuntimeError, match="no_such_setting"):
        cluster.start()
    settings.write_text(good)
    cluster.start()


def test_a_cluster_ends_with_its_killed_owner() -> None:
    script = (
        "import sys\n"
        "from tests.support.cluster import Cluster\n"
        "with Cluster() as started:\n"
        "    print(started._folder, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    try:
        assert (folder / "data" / "postmaster.pid").exists()
        owner.kill()
        owner.communicate()
        # The server removes this file as its last deed; the test's time limit is the deadline.
        while (folder / "data" / "postmaster.pid").exists():
            time.sleep(0.02)
        assert "database system is shut down" in (folder / "server.log").read_text()
    finally:
        shutil.rmtree(folder)
