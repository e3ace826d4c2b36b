"""The system in one process."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from penstock import Penstock, Worker
from penstock.ai import LanguageModel, ModelChain
from systems.common.build_id import build_id
from systems.common.database.connections import job_engine_url
from systems.common.system_clock import SystemClock
from systems.study_notes.application.cancel_delete import CancelSource, DeleteSource
from systems.study_notes.application.ports import Captions, Clock, ImageSearch, Ocr, Transcriber
from systems.study_notes.application.retry_source import RetrySource
from systems.study_notes.application.source_status import ShowSourceStatus, StatusView
from systems.study_notes.application.submit_source import SubmitSource
from systems.study_notes.domain.errors import NotFound
from systems.study_notes.domain.records import Source
from systems.study_notes.handlers.attempts import FlowAttempts
from systems.study_notes.handlers.desk import Desk
from systems.study_notes.handlers.events import STREAM
from systems.study_notes.handlers.pipeline import Pipeline
from systems.study_notes.http.app import create_app
from systems.study_notes.http.services import Services
from systems.study_notes.infrastructure.captions import YoutubeCaptions
from systems.study_notes.infrastructure.database import open_database
from systems.study_notes.infrastructure.documents import Documents
from systems.study_notes.infrastructure.files import StoredFiles
from systems.study_notes.infrastructure.json_exchange import new_client
from systems.study_notes.infrastructure.library import SqlLibrary
from systems.study_notes.infrastructure.ocr import ModelOcr
from systems.study_notes.infrastructure.offline_picture import offline_picture
from systems.study_notes.infrastructure.transcription import ModelTranscriber
from systems.study_notes.infrastructure.unit_of_work import read_units, write_units
from systems.study_notes.settings import Settings, load_settings
from systems.study_notes.wiring.handlers import make_handlers
from systems.study_notes.wiring.parts import Parts, enqueueing_of, queues_of, search_of
from systems.study_notes.wiring.services import call_limits, model_of, ocr_chain, speech_chains

_PACKAGE = Path(__file__).parents[1]
_IDLE_POLL_S = 0.02
_OPEN_STATES = ("ready", "running", "scheduled", "blocked")


class StudyNotes:
    """The system in one process: its HTTP application, its engine and, once started, its worker.

    `open` is enough for a process that only takes requests; `start` also runs jobs here.
    """

    def __init__(self, parts: Parts) -> None:
        self.settings = parts.settings
        self.engine = parts.engine
        self.database = parts.database
        self.build_id = build_id(_PACKAGE)
        self._parts = parts
        self._reads = read_units(parts.database.reads)
        desk = Desk(parts.engine, write_units(parts.database.sessions), enqueueing_of(parts.settings), parts.clock)
        self.pipeline = self._make_pipeline(desk)
        self.library = SqlLibrary(parts.database, parts.clock)
        self.status = ShowSourceStatus(FlowAttempts(parts.engine))
        self.app: FastAPI = create_app(self._services(), self._lifespan)
        self.handlers = make_handlers(parts, desk, self._reads)
        self._worker: Worker | None = None
        self._is_open = False

    async def open(self) -> None:
        """Make or migrate the tables and connect. Doing it twice is no error."""
        if self._is_open:
            return
        await self.database.create_schema()
        await self.engine.store.migrate()
        await self.engine.open()
        await self._parts.files.sweep()
        self._is_open = True

    async def close(self) -> None:
        """Close all connections."""
        if not self._is_open:
            return
        self._is_open = False
        await self.engine.close()
        await self.database.close()
        await self._parts.web.aclose()
        for chain in self._parts.chains:
            await chain.close()

    async def start(self) -> None:
        """Open, and run jobs in this process."""
        await self.open()
        if self._worker is None:
            self._worker = self.worker()
            await self._worker.start()

    async def stop(self) -> int:
        """Let running jobs finish within the grace, and close; the worker's exit code (0 when there was none)."""
        worker, self._worker = self._worker, None
        code = await worker.stop() if worker is not None else 0
        await self.close()
        return code

    def worker(self) -> Worker:
        """A worker for the system's queue."""
        return Worker(
            self.engine,
            self.handlers,
            queues=queues_of(self.settings),
            build_id=self.build_id,
            grace_s=self.settings.shutdown_grace_ms / 1000,
        )

    async def run_until_idle(self, timeout_s: float = 30) -> None:
        """Run jobs until none is waiting or running; with a worker of its own unless `start` made one.

        Retries are waited for. Raises TimeoutError, saying what is left, after `timeout_s` seconds.
        """
        await self.open()
        own = None if self._worker is not None else self.worker()
        if own is not None:
            await own.start()
        try:
            await self._idle(time.monotonic() + timeout_s)
        finally:
            if own is not None:
                await own.stop()

    async def stands(self, user_id: int, source_id: int) -> tuple[Source, StatusView]:
        """A source and its standing, read together. Raises `NotFound`."""
        async with self._reads() as uow:
            view = await self.status.show(uow, user_id, source_id)
            source = await uow.sources.get(source_id)
        if source is None:
            raise NotFound("source")
        return source, view

    async def _idle(self, until: float) -> None:
        while left := await self._open_jobs():
            if time.monotonic() >= until:
                raise TimeoutError(f"jobs are left: {left}")
            await asyncio.sleep(_IDLE_POLL_S)

    async def _open_jobs(self) -> dict[str, int]:
        names = queues_of(self.settings)
        left: dict[str, int] = {}
        for queue in await self.engine.queues.list():
            for state in _OPEN_STATES:
                if queue.name in names and queue.counts.get(state):
                    left[state] = left.get(state, 0) + queue.counts[state]
        return left

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        # Whoever opened it before the server began also closes it, after the server has ended.
        opened_here = not self._is_open
        await self.open()
        try:
            yield
        finally:
            if opened_here:
                await self.close()

    def _services(self) -> Services:
        return Services(
            intake=self.pipeline,
            library=self.library,
            reads=self._reads,
            status=self.status,
            engine=self.engine,
            draw=offline_picture,
            clock=self._parts.clock,
            queue=self.settings.note_queue_name,
            stream=STREAM,
            build_id=self.build_id,
        )

    def _make_pipeline(self, desk: Desk) -> Pipeline:
        files, clock = self._parts.files, self._parts.clock
        return Pipeline(
            desk,
            SubmitSource(self._reads, Documents(files), files, clock),
            RetrySource(clock),
            CancelSource(clock),
            DeleteSource(files, clock),
        )


def build(
    settings: Settings | None = None,
    *,
    language_model: LanguageModel | None = None,
    image_search: ImageSearch | None = None,
    captions: Captions | None = None,
    ocr: Ocr | None = None,
    transcriber: Transcriber | None = None,
    files: StoredFiles | None = None,
    clock: Clock | None = None,
) -> StudyNotes:
    """The system from settings (default: the environment), with any of its ports replaced.

    Nothing is opened yet. Raises `SettingsError`, ConfigurationError or ValueError naming the setting that is wrong.
    """
    settings = settings or load_settings()
    # The tables' database first: its error names the setting.
    database = open_database(settings.database_url)
    engine = Penstock(job_engine_url(settings.database_url), limits=call_limits(settings))
    web = new_client()
    model = language_model or model_of(settings, engine.ledger)
    reading = ocr_chain(settings, engine.ledger)
    speech = speech_chains(settings, engine.ledger)
    return StudyNotes(
        Parts(
            settings=settings,
            database=database,
            engine=engine,
            files=files or StoredFiles(settings.files_dir),
            clock=clock or SystemClock(),
            model=model,
            search=image_search or search_of(settings, web),
            captions=captions or YoutubeCaptions(web, settings.youtube_captions_base_url),
            ocr=ocr or (ModelOcr(reading) if reading else None),
            transcriber=transcriber or _transcriber(settings, speech),
            web=web,
            chains=tuple(chain for chain in (model, reading, *speech) if isinstance(chain, ModelChain)),
        )
    )


def _transcriber(settings: Settings, chains: Sequence[ModelChain]) -> ModelTranscriber | None:
    return ModelTranscriber(chains, pause_s=settings.job_backoff_ms / 1000) if chains else None
