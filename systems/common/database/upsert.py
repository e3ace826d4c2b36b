"""INSERT … ON CONFLICT, which the two dialects spell alike but SQLAlchemy keeps apart."""

from collections.abc import Collection, Sequence

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase


async def insert_unless_there(
    session: AsyncSession, table: type[DeclarativeBase], rows: Sequence[dict[str, object]]
) -> None:
    """Inserts the rows; one that breaks a unique constraint is already there and is left out."""
    if rows:
        await session.execute(_insert(session, table).on_conflict_do_nothing(), rows)


async def insert_or_update(
    session: AsyncSession,
    table: type[DeclarativeBase],
    rows: Sequence[dict[str, object]],
    *,
    key: str,
    changing: Collection[str],
) -> None:
    """Inserts the rows; of one whose value of the unique column `key` is there the columns `changing` are written anew.

    Rows are locked in the order of their keys, so that two transactions that write the same ones do not wait for each
    other. Each key may stand in one row only.
    """
    if not rows:
        return
    statement = _insert(session, table)
    changes = {name: statement.excluded[name] for name in changing}
    ordered = sorted(rows, key=lambda row: str(row[key]))
    await session.execute(statement.on_conflict_do_update(index_elements=[key], set_=changes), ordered)


def _insert(session: AsyncSession, table: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    is_postgres = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgres else sqlite.insert(table)
