"""Fresh stores: a database on a PostgreSQL server, a file for SQLite, a Redis of our own."""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import psycopg

from tools.peers.install import NotRun

_START_S = 10.0
_LOOK_S = 0.02


class Place:
    """A store nobody has used; `settle` and `server_cpu_s` are for those with a server of PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def settle(self) -> None:
        """Take statistics, as autovacuum does a minute after a large insert."""

    def server_cpu_s(self) -> float | None:
        """Processor time of all of the server's processes so far, in seconds; None where it cannot be seen."""
        return None


class _PostgresPlace(Place):
    def __init__(self, url: str, server: psutil.Process | None) -> None:
        super().__init__(url)
        self._server = server

    def settle(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("ANALYZE")

    def server_cpu_s(self) -> float | None:
        if self._server is None:
            return None
        own = self._server.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._server.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                # It has ended, and is counted with its parent next time.
                continue
            total += times.user + times.system
        return float(total)


class Postgres:
    """A server on which our role may create databases. Raises NotRun when it does not answer."""

    def __init__(self, url: str | None) -> None:
        default = f"postgresql://{quote(getpass.getuser())}@127.0.0.1:5432/postgres"
        self._url = url or os.environ.get("PENSTOCK_TEST_POSTGRES") or default
        try:
            with psycopg.connect(self._url) as connection:
                asked = "SELECT current_setting('server_version'), current_setting('fsync'), " \
                    "current_setting('synchronous_commit'), pg_backend_pid()"  # fmt: skip
                version, fsync, commit, backend = connection.execute(asked).fetchone() or ()
                self._server = _parent_of(backend)
        except psycopg.Error as error:
            raise NotRun(f"no PostgreSQL (name one with --database): {error}") from None
        self.described = f"PostgreSQL {version.split()[0]}, fsync={fsync}, synchronous_commit={commit}"

    @contextmanager
    def fresh(self) -> Iterator[Place]:
        """A new database, dropped at the end."""
        name = f"penstock_peers_{secrets.token_hex(6)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield _PostgresPlace(urlsplit(self._url)._replace(path=f"/{name}").geturl(), self._server)
        finally:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class Sqlite:
    """Files in the system's temporary folder: its disk is what is measured."""

    described = "SQLite, synchronous=FULL"

    @contextmanager
    def fresh(self) -> Iterator[Place]:
        """A new file in a new folder."""
        with tempfile.TemporaryDirectory(prefix="penstock-peers-") as folder:
            yield Place(f"sqlite:///{folder}/peers.db")


class Redis:
    """A server of our own for each measurement, without persistence. Raises NotRun when there is no program."""

    described = "Redis, nothing kept on disk"

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise NotRun("needs redis-server")
        self._program = program

    @contextmanager
    def fresh(self) -> Iterator[Place]:
        """A server on a free port, ended at the end."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with tempfile.TemporaryDirectory(prefix="penstock-peers-") as folder:
            arguments = [self._program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
            with (Path(folder) / "log").open("wb") as log:
                server = subprocess.Popen(arguments, stdout=log)
            try:
                _wait_for(port)
                yield Place(f"redis://127.0.0.1:{port}/0")
            finally:
                server.terminate()
                server.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > until:
                raise NotRun("redis-server does not start") from None
            time.sleep(_LOOK_S)
        else:
            return


def _parent_of(backend: int) -> psutil.Process | None:
    """The server's first process, if that backend is one of this machine."""
    try:
        process = psutil.Process(backend)
        return process.parent() if process.name() == "postgres" else None
    except psutil.Error:
        return None
