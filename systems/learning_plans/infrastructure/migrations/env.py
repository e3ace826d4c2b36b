"""Run by alembic."""

from systems.common.database.migrations import run
from systems.learning_plans.infrastructure.database import VERSION_TABLE
from systems.learning_plans.infrastructure.tables import Base

run(Base.metadata, VERSION_TABLE)
