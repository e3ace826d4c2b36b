"""What everything stands on, and how the settings choose it."""

from dataclasses import dataclass
from datetime import timedelta

import httpx2

from penstock import Penstock, Queue, Rate, Retention
from penstock.ai import LanguageModel, ModelChain
from systems.common.database.connections import Database
from systems.study_notes.application.ports import Captions, Clock, ImageSearch, Ocr, Transcriber
from systems.study_notes.handlers.desk import Enqueueing
from systems.study_notes.handlers.jobs import QUEUE as DECLARED_QUEUE
from systems.study_notes.infrastructure.files import StoredFiles
from systems.study_notes.infrastructure.image_search import SerpApi, Serper, choose_search
from systems.study_notes.settings import Settings

KEEP_COMPLETED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Parts:
    """What everything stands on. `ocr` and `transcriber` are None without a provider; `chains` are to be closed."""

    settings: Settings
    database: Database
    engine: Penstock
    files: StoredFiles
    clock: Clock
    model: LanguageModel
    search: ImageSearch
    captions: Captions
    ocr: Ocr | None
    transcriber: Transcriber | None
    web: httpx2.AsyncClient
    chains: tuple[ModelChain, ...]


def search_of(settings: Settings, web: httpx2.AsyncClient) -> ImageSearch:
    serpapi, serper = settings.serpapi_key, settings.serper_key
    return choose_search(
        settings.image_provider,
        SerpApi(web, settings.serpapi_base_url, serpapi.get_secret_value()) if serpapi else None,
        Serper(web, settings.serper_base_url, serper.get_secret_value()) if serper else None,
    )


def enqueueing_of(settings: Settings) -> Enqueueing:
    return Enqueueing(settings.note_queue_name, settings.job_attempts, settings.job_backoff_ms / 1000)


def queues_of(settings: Settings) -> dict[str, Queue]:
    queue = Queue(
        concurrency=settings.worker_concurrency,
        rate=Rate(settings.queue_rate_per_second, per=1.0),
        unknown_kinds="fail",
        retention=Retention(completed=KEEP_COMPLETED, failed=None),
    )
    # What tells of ends without a handler is enqueued by the engine on the queue its kind declares.
    ends = Queue(concurrency=1, unknown_kinds="wait", retention=Retention(completed=KEEP_COMPLETED, failed=None))
    return {DECLARED_QUEUE: ends, settings.note_queue_name: queue}
