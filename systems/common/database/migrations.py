"""Bringing a system's tables to the newest version, by alembic; a fresh database goes the same way.

A system keeps its scripts in a folder of its own: `env.py`, which calls `run`, and `versions/`.
"""

from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData

from systems.common.database.connections import Database, lock_schema, make_folder


async def migrate(database: Database, scripts: Path) -> None:
    """Runs what is missing, in one transaction; processes that do so at once wait for each other."""
    make_folder(database.engine.url)
    async with database.engine.begin() as connection:
        await lock_schema(connection, database.tables)
        await connection.run_sync(upgrade, scripts)


def upgrade(connection: Connection, scripts: Path) -> None:
    """Runs what is missing on an open connection; the caller commits."""
    config = Config()
    # A percent sign in a path is not an interpolation.
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def run(tables: MetaData, version_table: str) -> None:
    """What an `env.py` does: the scripts, on the connection that `upgrade` was given."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=tables,
        version_table=version_table,
        # SQLite alters a table by making it anew.
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
