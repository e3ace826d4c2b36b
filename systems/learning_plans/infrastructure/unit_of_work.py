"""One open transaction with all repositories on it."""

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from systems.common.database.units import Units, committing, opening
from systems.learning_plans.application.repositories import UnitOfWork
from systems.learning_plans.infrastructure.curated_repository import SqlCurated
from systems.learning_plans.infrastructure.plan_repository import SqlAttempts, SqlPlans
from systems.learning_plans.infrastructure.usage_repository import SqlUsage, SqlUsers


class SqlUnitOfWork:
    """The port `UnitOfWork` around a session whose transaction the caller begins and ends.

    `session` is what the job engine writes through, so that rows, completion and new jobs commit together.
    """

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.users = SqlUsers(session)
        self.plans = SqlPlans(session)
        self.attempts = SqlAttempts(session)
        self.usage = SqlUsage(session)
        self.curated = SqlCurated(session)


def read_units(reads: async_sessionmaker[AsyncSession]) -> Units[UnitOfWork]:
    """The port `ReadUnits`: each unit is one reading transaction that takes no write lock and is never committed."""
    return opening(reads, SqlUnitOfWork)


def write_units(sessions: async_sessionmaker[AsyncSession]) -> Units[SqlUnitOfWork]:
    """The port `WriteUnits`: each unit commits at its exit, unless something is raised inside."""
    return committing(sessions, SqlUnitOfWork)
