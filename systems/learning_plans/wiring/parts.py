"""What everything stands on, and how the settings choose it."""

from dataclasses import dataclass

import httpx2
from typing_extensions import TypeIs

from penstock import Penstock
from penstock.ai import LanguageModel, Provider
from systems.common.database.connections import Database
from systems.learning_plans.application.curation_ports import Clock, Search
from systems.learning_plans.application.ports import UsageMeter
from systems.learning_plans.application.services.curation_service import CurationService
from systems.learning_plans.application.services.generation_service import GenerationRules
from systems.learning_plans.domain.found import FoundPage, FoundVideo
from systems.learning_plans.handlers.desk import CurationMode
from systems.learning_plans.infrastructure.finds import SqlFinds
from systems.learning_plans.infrastructure.meter import RecordingUsageMeter, StripeUsageMeter
from systems.learning_plans.infrastructure.providers import chain_of, get_generation_provider
from systems.learning_plans.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What everything stands on. A search is None where the settings do not allow it."""

    settings: Settings
    database: Database
    engine: Penstock
    provider: LanguageModel
    clock: Clock
    videos: Search[FoundVideo] | None
    docs: Search[FoundPage] | None
    meter: UsageMeter
    web: httpx2.AsyncClient


def curation_mode(settings: Settings) -> CurationMode:
    """Whether and where plans are curated."""
    if not CurationService.should_run_curation(settings):
        return CurationMode.OFF
    return CurationMode.INLINE if CurationService.should_run_sync(settings) else CurationMode.QUEUED


def meter_of(settings: Settings) -> UsageMeter:
    """Stripe's with a key, else the one that records."""
    if settings.stripe_api_key is None:
        return RecordingUsageMeter()
    return StripeUsageMeter(settings.stripe_api_key.get_secret_value(), settings.stripe_base_url)


def provider_of(settings: Settings, engine: Penstock, given: LanguageModel | Provider | None) -> LanguageModel:
    """The one that is given, else the one of the settings; its calls are in the ledger."""
    if given is None:
        return get_generation_provider(settings, engine.ledger)
    # A single provider gets the chain around it, and so the ledger.
    return chain_of([given], engine.ledger) if _is_provider(given) else given


def _is_provider(given: LanguageModel | Provider) -> TypeIs[Provider]:
    return hasattr(given, "call")


def rules_of(settings: Settings) -> GenerationRules:
    """How long a plan may take, and how often it may be tried."""
    return GenerationRules(
        base_ms=settings.ai_timeout_base_ms,
        extension_ms=settings.ai_timeout_extension_ms,
        threshold_ms=settings.extension_threshold_ms,
        attempt_cap=settings.attempt_cap,
    )


def curation_of(parts: Parts) -> CurationService:
    """The service that finds resources."""
    store = SqlFinds(parts.database.sessions, parts.clock)
    return CurationService(parts.videos, parts.docs, parts.provider, store, parts.clock, parts.settings.curation_rules)


def plan_timeout_s(settings: Settings) -> float:
    """How long a run of a plan job may take; curation inside it has its budget on top."""
    inline = curation_mode(settings) is CurationMode.INLINE
    return settings.plan_timeout_s + (settings.curation_time_budget_ms / 1_000 if inline else 0)
