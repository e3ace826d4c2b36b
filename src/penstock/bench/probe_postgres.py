"""What is asked about the engine's database from beside it. It finds the tables by looking."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from penstock.bench.machine import cpu_of
from penstock.store.postgres.address import parse
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pools import connected
from penstock.store.postgres.wire import Wire

_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_LOG = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_SIZE = "SELECT pg_database_size(current_database())"
_DEAD = "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables WHERE schemaname = 'penstock'"
_COLUMNS = """SELECT c.table_name, c.column_name
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = 'penstock' AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position"""


class PostgresProbe:
    """On a connection of its own. The CPU of server processes is known where they run on this machine."""

    def __init__(self, url: str, wire: Wire) -> None:
        self._url = url
        self._wire = wire

    async def server_cpu(self) -> dict[int, float] | None:
        """Seconds by process, autovacuum's included while it lives."""
        pids = [row[0] for row in await self._ask(_BACKENDS)]
        return await asyncio.to_thread(_cpu_of, pids)

    async def log_bytes(self) -> int | None:
        """Bytes of the write-ahead log, whoever wrote them."""
        return int((await self._ask(_LOG))[0][0])

    async def commits(self) -> int | None:
        """What the server's statistics say."""
        return int((await self._ask(_COMMITS))[0][0])

    async def dead_rows(self) -> int | None:
        """What the server's statistics say."""
        return int((await self._ask(_DEAD))[0][0])

    async def size(self) -> int:
        """Bytes of the database."""
        return int((await self._ask(_SIZE))[0][0])

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """A REPEATABLE READ transaction that has taken its snapshot."""
        async with connected(parse(self._url)) as wire:
            await wire.send((Query(b"BEGIN ISOLATION LEVEL REPEATABLE READ", prepare=False),))
            await wire.send((Query(_SIZE.encode(), prepare=False),))
            yield
            await wire.send((Query(b"ROLLBACK", prepare=False),))

    async def copy(self, job_id: str, count: int) -> None:
        """Copy the job's rows."""
        columns: dict[str, list[str]] = {}
        for table, column in await self._ask(_COLUMNS):
            columns.setdefault(table, []).append(column)
        series = secrets.token_hex(2)
        for table, names in columns.items():
            if (sql := _insert(table, names, job_id, count, series)) is not None:
                await self._ask(sql)

    async def settle(self) -> None:
        """Vacuum and analyse all tables."""
        await self._ask("VACUUM (ANALYZE)")

    async def _ask(self, sql: str) -> list[Any]:
        return await self._wire.send((Query(sql.encode(), prepare=False),))


def _insert(table: str, columns: list[str], job_id: str, count: int, series: str) -> str | None:
    """What copies a job's row; None for a table that has no row for each job. All values are our own."""
    key = "id" if table == "jobs" else "job_id"
    if key not in columns:
        return None
    columns = [column for column in columns if column == key or column != "id"]
    id_ = f"('018f0000-{series}-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
    values = {key: id_, "position": "position + n"}
    picked = ", ".join(values.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    return (
        f"INSERT INTO penstock.{table} ({names}) SELECT {picked} "  # noqa: S608 - our own names
        f"FROM penstock.{table}, generate_series(0, {count - 1}) AS n WHERE {key} = '{job_id}'"
    )


def _cpu_of(pids: list[int]) -> dict[int, float] | None:
    """Seconds of CPU of these processes; None when they are not processes of this machine's PostgreSQL."""
    found = {pid: told for pid in pids if (told := cpu_of(pid)) is not None}
    if not found or not all(name.startswith("postgres") for name, _ in found.values()):
        return None
    return {pid: seconds for pid, (_, seconds) in found.items()}
