"""Units of work: one open transaction with a system's repositories on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

U = TypeVar("U")

Units = Callable[[], AbstractAsyncContextManager[U]]


def opening(sessions: async_sessionmaker[AsyncSession], make: Callable[[AsyncSession], U]) -> Units[U]:
    """Units of which nothing stays unless whoever opens one commits its session; for reading, too."""

    @asynccontextmanager
    async def open_unit() -> AsyncIterator[U]:
        async with sessions() as session:
            yield make(session)

    return open_unit


def committing(sessions: async_sessionmaker[AsyncSession], make: Callable[[AsyncSession], U]) -> Units[U]:
    """Units that commit at their exit, unless something is raised inside."""

    @asynccontextmanager
    async def open_unit() -> AsyncIterator[U]:
        async with sessions() as session:
            yield make(session)
            await session.commit()

    return open_unit
