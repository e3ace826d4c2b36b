"""What everything stands on, and how the settings choose it."""

from dataclasses import dataclass
from datetime import timedelta

import httpx2

from penstock import ConfigurationError, Penstock, Queue, Rate, Retention
from penstock.ai import Gate, LanguageModel, ModelChain, OfflineModel, Provider
from penstock.ai.providers import WIRES, provider_from
from systems.study_notes.application.ports import Clock, ImageSearch
from systems.study_notes.handlers.desk import Enqueueing
from systems.study_notes.handlers.jobs import QUEUE as DECLARED_QUEUE
from systems.study_notes.infrastructure.database import Database
from systems.study_notes.infrastructure.files import StoredFiles
from systems.study_notes.infrastructure.image_search import SerpApi, Serper, choose_search
from systems.study_notes.infrastructure.offline_tasks import offline_tasks
from systems.study_notes.settings import OFFLINE, Settings, provider_settings, variable_of

KEEP_COMPLETED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Parts:
    """What everything stands on."""

    settings: Settings
    database: Database
    engine: Penstock
    files: StoredFiles
    clock: Clock
    model: LanguageModel
    search: ImageSearch
    web: httpx2.AsyncClient


def model_of(settings: Settings, gate: Gate | None = None) -> ModelChain:
    """The chain of providers that the settings name, each call through `gate`.

    Raises ConfigurationError naming the variable that is missing.
    """
    return ModelChain([_provider(name) for name in settings.provider_chain()], gate=gate)


def _provider(name: str) -> Provider:
    if name == OFFLINE:
        return OfflineModel(offline_tasks())
    found = provider_settings(name)
    variable = variable_of(name)
    named = f"{name!r} in AI_PROVIDER_CHAIN needs"
    if found.base_url is None and name not in WIRES:
        raise ConfigurationError(f"{variable}_BASE_URL: {named} the address at which it speaks OpenAI's wire")
    if found.model is None:
        raise ConfigurationError(f"{variable}_MODEL: {named} the name of a model")
    if found.api_key is None and name in WIRES:
        raise ConfigurationError(f"{variable}_API_KEY: {named} a key; to do without, set AI_PROVIDER_CHAIN={OFFLINE}")
    return provider_from(
        name,
        model=found.model,
        api_key=found.api_key.get_secret_value() if found.api_key else None,
        base_url=found.base_url,
        wire="openai" if found.base_url else None,
    )


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


def engine_url(url: str) -> str:
    """The engine picks its drivers itself: `postgresql+psycopg://…` becomes `postgresql://…`."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{mark}{rest}"
