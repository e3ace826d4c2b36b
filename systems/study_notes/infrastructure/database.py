"""The database of study notes."""

from systems.common.database.connections import Database
from systems.common.database.connections import open_database as open_common
from systems.study_notes.infrastructure.tables import Base


def open_database(url: str) -> Database:
    """See `systems.common.database.connections.open_database`."""
    return open_common(url, Base.metadata)
