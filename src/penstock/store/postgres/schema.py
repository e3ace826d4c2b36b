"""The schema's version: read, compared with this code, and brought up to it."""

import psycopg

from penstock.errors import ConfigurationError, SchemaError
from penstock.store.migrations import Migration, SchemaState, check, pending
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.wire import Wire

OLDEST_SERVER = 13

# Any fixed number serves; these are the letters "penstock".
_LOCK_KEY = 0x70656E73746F636B
_VERSION = Query(b"SELECT current_setting('server_version_num')::integer")
# A query of the catalog and not `to_regclass`, whose cache may be older than the lock we have just waited for.
_HAS_META = Query(
    b"SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'penstock' AND tablename = 'meta')"
)
_READ_META = Query(b"SELECT key, value FROM penstock.meta")
_BEGIN = (Query(b"BEGIN", prepare=False), Query(b"SELECT pg_advisory_xact_lock($1)", (_LOCK_KEY,)))
_COMMIT = (Query(b"COMMIT", prepare=False),)
_MAKE_META = Query(b"CREATE TABLE IF NOT EXISTS penstock.meta (key text PRIMARY KEY, value text NOT NULL)")
_WRITE_META = (
    b"INSERT INTO penstock.meta (key, value) VALUES ('schema_version', $1), ('compatible_from', $2) "
    b"ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


async def check_schema(wire: Wire, migrations: list[Migration]) -> None:
    """Raise SchemaError unless the schema is there and fits this code, ConfigurationError for a server too old."""
    await _check_server(wire)
    state = await _state(wire)
    check(state, len(migrations))
    if state.version == 0:
        raise SchemaError("the database has no Penstock tables yet: run `penstock migrate`")
    if state.version < len(migrations):
        raise SchemaError(
            f"the database is at schema {state.version}, this code needs {len(migrations)}: run `penstock migrate`"
        )


async def migrate(wire: Wire, migrations: list[Migration]) -> list[int]:
    """Apply what is missing, each migration whole or not at all, one process at a time; answers the numbers applied.

    Raises SchemaError when the schema needs newer code or a migration fails (those before it stay), and
    ConfigurationError for a server too old.
    """
    await _check_server(wire)
    done: list[int] = []
    while pending(migrations, await _state(wire)):
        done += await _apply_next(wire, migrations)
    return done


async def _check_server(wire: Wire) -> None:
    version = (await wire.send((_VERSION,)))[0][0]
    if version < OLDEST_SERVER * 10_000:
        raise ConfigurationError(
            f"the server is PostgreSQL {version // 10_000}; Penstock needs {OLDEST_SERVER} or newer: upgrade the server"
        )


async def _state(wire: Wire) -> SchemaState:
    if not (await wire.send((_HAS_META,)))[0][0]:
        return SchemaState(0, 1)
    found = dict((key, value) for key, value in await wire.send((_READ_META,)))
    return SchemaState(int(found["schema_version"]), int(found["compatible_from"]))


async def _apply_next(wire: Wire, migrations: list[Migration]) -> list[int]:
    """Under the lock: look again, since another process may have applied it, then apply one."""
    await wire.send(_BEGIN)
    waiting = pending(migrations, await _state(wire))[:1]
    for migration in waiting:
        try:
            await wire.send((Query(migration.sql.encode(), prepare=False),))
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            name = f"{migration.number:04}_{migration.name}"
            raise SchemaError(f"migration {name} failed and was undone: {error}") from error
        await wire.send((_MAKE_META,))
        await wire.send((Query(_WRITE_META, (str(migration.number), str(migration.compatible_from))),))
    await wire.send(_COMMIT)
    return [migration.number for migration in waiting]
