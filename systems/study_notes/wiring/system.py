"""The system in one process."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI

from penstock import Penstock, Worker
from penstock.ai import LanguageModel, ModelChain
from systems.common.build_id import build_id
from systems.common.database.connections import job_engine_url
from systems.common.process import SystemProcess
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


class StudyNotes(SystemProcess[Worker]):
    """The system in one process: its HTTP application, its engine and, once started, its worker."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.engine, parts.database, queues_of(parts.settings))
        self.settings = parts.settings
        self.build_id = build_id(_PACKAGE)
        self._parts = parts
        self._reads = read_units(parts.database.reads)
        desk = Desk(parts.engine, write_units(parts.database.sessions), enqueueing_of(parts.settings), parts.clock)
        self.pipeline = self._make_pipeline(desk)
        self.library = SqlLibrary(parts.database, parts.clock)
        self.status = ShowSourceStatus(FlowAttempts(parts.engine))
        self.app: FastAPI = create_app(self._services(), self._lifespan)
        self.handlers = make_handlers(parts, desk, self._reads)

    def worker(self) -> Worker:
        """A worker for the system's queue."""
        return Worker(
            self.engine,
            self.handlers,
            queues=queues_of(self.settings),
            build_id=self.build_id,
            grace_s=self.settings.shutdown_grace_ms / 1000,
        )

    async def stands(self, user_id: int, source_id: int) -> tuple[Source, StatusView]:
        """A source and its standing, read together. Raises `NotFound`."""
        async with self._reads() as uow:
            view = await self.status.show(uow, user_id, source_id)
            source = await uow.sources.get(source_id)
        if source is None:
            raise NotFound("source")
        return source, view

    async def _make_tables(self) -> None:
        await self.database.create_schema()
        await self._parts.files.sweep()

    async def _let_go(self) -> None:
        await self._parts.web.aclose()
        for chain in self._parts.chains:
            await chain.close()

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
