"""What the routes work with; `wiring.py` fills it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from penstock import JobView, Penstock
from systems.learning_plans.application.curation_ports import Clock
from systems.learning_plans.application.repositories import WriteUnits
from systems.learning_plans.application.views import Library
from systems.learning_plans.domain.entities import Plan


class StartedJob(Protocol):
    """A plan and the job that makes it."""

    @property
    def plan(self) -> Plan: ...
    @property
    def job_id(self) -> str: ...


class Intake(Protocol):
    """Starts and stops work. All raise the system's errors (`domain/errors.py`)."""

    async def create(self, user_id: str, body: Mapping[str, Any]) -> StartedJob: ...

    async def regenerate(self, user_id: str, plan_id: str, overrides: Mapping[str, Any]) -> StartedJob: ...

    async def curate(self, user_id: str, plan_id: str) -> str: ...

    async def cancel(self, user_id: str, job_id: str) -> None: ...

    async def delete(self, user_id: str, plan_id: str) -> None: ...

    async def learners_job(self, user_id: str, job_id: str) -> JobView: ...


@dataclass(frozen=True, slots=True)
class Services:
    """`stream` names the log's stream, `queues` those of the system, `kinds` the kinds that learners see."""

    intake: Intake
    library: Library
    units: WriteUnits
    engine: Penstock
    clock: Clock
    queues: Collection[str]
    kinds: Collection[str]
    stream: str
    admin_token: str | None


def services(request: Request) -> Services:
    """The dependency by which routes get theirs."""
    found: Services = request.app.state.services
    return found


With = Annotated[Services, Depends(services)]
