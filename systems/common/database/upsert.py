"""INSERT … ON CONFLICT DO NOTHING, which the two dialects spell alike but SQLAlchemy keeps apart."""

from collections.abc import Sequence

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase


async def insert_unless_there(
    session: AsyncSession, table: type[DeclarativeBase], rows: Sequence[dict[str, object]]
) -> None:
    """Inserts the rows; one that breaks a unique constraint is already there and is left out."""
    if not rows:
        return
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(postgresql.insert(table).on_conflict_do_nothing(), rows)
    else:
        await session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
