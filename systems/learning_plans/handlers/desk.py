"""What plan jobs are made and run with: the engine, units of work, the clock, and what a deployment chooses."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from penstock import Job, Penstock
from systems.learning_plans.application.curation_ports import Clock
from systems.learning_plans.application.repositories import ReadUnits
from systems.learning_plans.domain.events import PlanEvent
from systems.learning_plans.handlers.events import logged
from systems.learning_plans.handlers.running import EngineRun, WritingUnit, WritingUnits


class CurationMode(StrEnum):
    """Whether plans are curated in the job that makes them, in one of their own, or not at all."""

    INLINE = "inline"
    QUEUED = "queued"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Desk:
    """See the module. `plan_timeout_s` bounds a run of a plan job."""

    engine: Penstock
    units: WritingUnits
    reads: ReadUnits
    clock: Clock
    curation: CurationMode = CurationMode.QUEUED
    plan_timeout_s: float = 120.0

    def run_of(self, job: Job[Any]) -> EngineRun:
        """The port by which services end this run."""
        return EngineRun(job, self.units)

    def plan_options(self, plan_id: str, priority: int) -> dict[str, Any]:
        """Options of a plan job: one open one a plan."""
        return {"priority": priority, "timeout": self.plan_timeout_s, "unique": f"plan:{plan_id}"}

    async def tell(self, uow: WritingUnit, events: Iterable[PlanEvent]) -> None:
        """Publish in the unit's transaction, which stays open."""
        async with self.engine.transaction(on=uow.session) as tx:
            for event in events:
                await tx.publish(logged(event), subject=event.plan_id)
