"""The database of learning plans."""

from pathlib import Path

from systems.common.database.connections import Database
from systems.common.database.connections import open_database as open_common
from systems.common.database.migrations import migrate as migrate_common
from systems.learning_plans.infrastructure.tables import Base

SCRIPTS = Path(__file__).parent / "migrations"
VERSION_TABLE = "learning_plans_version"


def open_database(url: str) -> Database:
    """See `systems.common.database.connections.open_database`."""
    return open_common(url, Base.metadata)


async def migrate(database: Database) -> None:
    """Brings the tables to this code's version, from nothing or from any version before."""
    await migrate_common(database, SCRIPTS)
