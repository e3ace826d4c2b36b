"""PostgreSQL for tests: a server that is already there, else an embedded one; and databases of one test each.

A server is looked for in this order: the URL in `PENSTOCK_TEST_POSTGRES`, 127.0.0.1:5432, a private `Cluster` that
runs as long as it is needed. The role must be allowed to create databases.
"""

import getpass
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from tests.support.cluster import Cluster

__all__ = ["Cluster", "Server", "create_database", "drop_database", "find_server", "running_server"]

ADDRESS_VARIABLE = "PENSTOCK_TEST_POSTGRES"
LOCAL_ADDRESS = "127.0.0.1:5432"
DATABASE_PREFIX = "penstock_test_"
OLDEST_VERSION = 130000


@dataclass(frozen=True, slots=True)
class Server:
    """A server on which tests create databases; `url` is the libpq URL of a database that is already on it."""

    url: str


@contextmanager
def running_server(local_address: str = LOCAL_ADDRESS) -> Iterator[Server]:
    """Give the server that `find_server` finds, else an embedded one that stops at exit."""
    server = find_server(local_address)
    if server is not None:
        yield server
        return
    with Cluster() as cluster:
        yield Server(cluster.url)


def find_server(local_address: str = LOCAL_ADDRESS) -> Server | None:
    """Return the server named by `PENSTOCK_TEST_POSTGRES`, else a usable one at `local_address`, else None.

    Raises `psycopg.OperationalError` when the named server does not answer, `ValueError` when it is too old or does
    not allow creating databases: who names a server wants that one.
    """
    named = os.environ.get(ADDRESS_VARIABLE)
    if named:
        reason = _why_unusable(named)
        if reason:
            raise ValueError(f"{ADDRESS_VARIABLE}: {reason}")
        return Server(named)
    for user in dict.fromkeys([getpass.getuser(), "postgres"]):
        url = f"postgresql://{quote(user)}@{local_address}/postgres"
        try:
            reason = _why_unusable(url)
        except psycopg.OperationalError:
            continue
        if reason is None:
            return Server(url)
    return None


def create_database(server: Server) -> str:
    """Create an empty database with a random name and return its libpq URL."""
    name = DATABASE_PREFIX + secrets.token_hex(8)
    _execute(server.url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return _with_database(server.url, name)


def drop_database(url: str) -> None:
    """Drop a database made by `create_database`, closing what is still connected to it.

    Raises `ValueError` for any other database.
    """
    name = urlsplit(url).path.removeprefix("/")
    if not name.startswith(DATABASE_PREFIX):
        raise ValueError(f"{name!r} is not a database of the tests: its name does not begin with {DATABASE_PREFIX}")
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    _execute(_with_database(url, "postgres"), statement)


def _why_unusable(url: str) -> str | None:
    """Return why tests cannot use this server, None when they can; raises when it does not answer."""
    with psycopg.connect(url, connect_timeout=3) as connection:
        if connection.info.server_version < OLDEST_VERSION:
            return f"PostgreSQL {OLDEST_VERSION // 10000} or newer is needed"
        row = connection.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    return None if row and row[0] else "the role must be allowed to create databases (ALTER ROLE … CREATEDB)"


def _execute(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        connection.execute(statement)


def _with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()
