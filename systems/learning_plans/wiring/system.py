"""The system in one process."""

from datetime import timedelta
from pathlib import Path

import httpx2
from fastapi import FastAPI

from penstock import Penstock, Schedule
from penstock.ai import LanguageModel, ModelChain, Provider
from systems.common.build_id import build_id
from systems.common.database.connections import Database, job_engine_url
from systems.common.process import SystemProcess
from systems.common.system_clock import SystemClock
from systems.learning_plans.application.curation_ports import Clock, Search
from systems.learning_plans.application.ports import UsageMeter
from systems.learning_plans.application.services.generation_service import GenerationService
from systems.learning_plans.application.services.persistence_service import PersistenceService
from systems.learning_plans.domain.found import FoundPage, FoundVideo
from systems.learning_plans.domain.tiers import Tier
from systems.learning_plans.handlers.base import JobHandler
from systems.learning_plans.handlers.desk import Desk
from systems.learning_plans.handlers.events import STREAM
from systems.learning_plans.handlers.intake import Intake
from systems.learning_plans.handlers.jobs import LEARNERS_KINDS, USAGE, JobRetention, JobType, PlanStuckSweep
from systems.learning_plans.handlers.maintenance_handlers import JobRetentionHandler, PlanStuckSweepHandler
from systems.learning_plans.handlers.plan_curation_handler import PlanCurationHandler
from systems.learning_plans.handlers.plan_generation_handler import PlanGenerationHandler
from systems.learning_plans.handlers.plan_job_ended_handler import PlanJobEndedHandler
from systems.learning_plans.handlers.plan_regeneration_handler import PlanRegenerationHandler
from systems.learning_plans.handlers.running import EngineJobs
from systems.learning_plans.handlers.usage_meter_push_handler import UsageMeterPushHandler
from systems.learning_plans.http.app import create_app
from systems.learning_plans.http.services import Services
from systems.learning_plans.infrastructure.curation_work import SqlCurationWork
from systems.learning_plans.infrastructure.database import migrate, open_database
from systems.learning_plans.infrastructure.library import SqlLibrary
from systems.learning_plans.infrastructure.searches import searches_of
from systems.learning_plans.infrastructure.unit_of_work import read_units, write_units
from systems.learning_plans.settings import Settings, load_settings
from systems.learning_plans.wiring.parts import (
    Parts,
    curation_mode,
    curation_of,
    meter_of,
    plan_timeout_s,
    provider_of,
    rules_of,
)
from systems.learning_plans.worker import QUEUES, PlanGenerationWorker

_PACKAGE = Path(__file__).parents[1]
_SWEEP_EVERY = timedelta(minutes=5)
_RETENTION_AT = "0 3 * * *"


class Users:
    """What operators do with learners."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._units = write_units(database.sessions)
        self._clock = clock

    async def set_tier(self, user_id: str, tier: str) -> None:
        """Give a learner a tier: free, starter or pro. Raises ValueError for another."""
        try:
            known = Tier(tier)
        except ValueError:
            raise ValueError(f"tier: must be one of {', '.join(Tier)}, not {tier!r}") from None
        async with self._units() as uow:
            await uow.users.set_tier(user_id, known, self._clock.now())


class LearningPlans(SystemProcess[PlanGenerationWorker]):
    """The system in one process: its HTTP application, its engine and, once started, its worker."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.engine, parts.database, QUEUES)
        self.settings = parts.settings
        self.build_id = build_id(_PACKAGE)
        self._parts = parts
        self._jobs = EngineJobs(parts.engine)
        self._desk = Desk(
            engine=parts.engine,
            units=write_units(parts.database.sessions),
            reads=read_units(parts.database.reads),
            clock=parts.clock,
            curation=curation_mode(parts.settings),
            plan_timeout_s=plan_timeout_s(parts.settings),
        )
        self.users = Users(parts.database, parts.clock)
        self.library = SqlLibrary(parts.database, parts.clock)
        self.intake = Intake(self._desk, self._jobs)
        self.handlers = self._make_handlers()
        self.app: FastAPI = create_app(self._services(), self._lifespan)
        parts.engine.schedule(JobType.PLAN_STUCK_SWEEP, Schedule(every=_SWEEP_EVERY), PlanStuckSweep())
        parts.engine.schedule(JobType.JOB_RETENTION, Schedule(cron=_RETENTION_AT), JobRetention())

    def worker(self) -> PlanGenerationWorker:
        """A worker for the system's queues; the connections are the system's to close."""
        return PlanGenerationWorker(
            self.engine, self.handlers, self.settings, build_id=self.build_id, owns_engine=False
        )

    async def _make_tables(self) -> None:
        await migrate(self.database)

    async def _let_go(self) -> None:
        await self._parts.web.aclose()
        await self._parts.meter.close()
        if isinstance(self._parts.provider, ModelChain):
            await self._parts.provider.close()

    def _is_waited_for(self, queue: str, state: str) -> bool:
        # Not for what is to be billed: whoever bills may be away for an hour.
        return not (queue == USAGE and state == "scheduled")

    def _make_handlers(self) -> dict[str, JobHandler]:
        """The handlers by kind: who adds a kind adds a line here."""
        parts, desk = self._parts, self._desk
        generation, curation = GenerationService(parts.provider, rules_of(parts.settings)), curation_of(parts)
        persistence = PersistenceService(self._jobs, parts.meter, desk.units, parts.clock)
        work = SqlCurationWork(parts.database.reads)
        return {
            JobType.PLAN_GENERATION: PlanGenerationHandler(generation, curation, persistence, desk),
            JobType.PLAN_REGENERATION: PlanRegenerationHandler(generation, curation, persistence, desk),
            JobType.PLAN_CURATION: PlanCurationHandler(curation, work, parts.clock, persistence.record_usage),
            JobType.USAGE_METER_PUSH: UsageMeterPushHandler(persistence),
            JobType.PLAN_STUCK_SWEEP: PlanStuckSweepHandler(self._jobs, desk),
            JobType.JOB_RETENTION: JobRetentionHandler(desk, QUEUES),
            JobType.PLAN_JOB_ENDED: PlanJobEndedHandler(persistence, desk),
        }

    def _services(self) -> Services:
        token = self.settings.admin_token
        return Services(
            intake=self.intake,
            library=self.library,
            units=self._desk.units,
            engine=self.engine,
            clock=self._parts.clock,
            queues=QUEUES,
            kinds=LEARNERS_KINDS,
            stream=STREAM,
            admin_token=token.get_secret_value() if token else None,
        )


def build(
    settings: Settings | None = None,
    *,
    provider: LanguageModel | Provider | None = None,
    clock: Clock | None = None,
    youtube: Search[FoundVideo] | None = None,
    docs: Search[FoundPage] | None = None,
    usage_meter: UsageMeter | None = None,
) -> LearningPlans:
    """The system from settings (default: the environment), with any of its ports replaced.

    Nothing is opened yet. Raises `SettingsError`, ConfigurationError or ValueError naming the setting that is wrong.
    """
    settings = settings or load_settings()
    clock = clock or SystemClock()
    web = httpx2.AsyncClient(trust_env=False)
    # The tables' database first: its error names the setting.
    database = open_database(settings.database_url)
    engine = Penstock(job_engine_url(settings.database_url), poll_s=settings.worker_poll_interval_ms / 1_000)
    searches = searches_of(settings, web, database.sessions, clock)
    return LearningPlans(
        Parts(
            settings=settings,
            database=database,
            engine=engine,
            provider=provider_of(settings, engine, provider),
            clock=clock,
            videos=youtube or searches.videos,
            docs=docs or searches.docs,
            meter=usage_meter or meter_of(settings),
            web=web,
        )
    )
