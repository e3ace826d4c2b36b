"""The searches that the settings allow."""

from dataclasses import dataclass

import httpx2
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from systems.learning_plans.application.curation_ports import Clock, Search
from systems.learning_plans.domain.found import FoundPage, FoundVideo
from systems.learning_plans.infrastructure.docs_search import DocumentationSearch
from systems.learning_plans.infrastructure.docs_sources import (
    DocsSource,
    FirstThatFinds,
    GoogleDocs,
    KnownDocs,
    MdnDocs,
)
from systems.learning_plans.infrastructure.google_limiter import GoogleLimiter, SqlCallBook
from systems.learning_plans.infrastructure.link_check import LinkCheck
from systems.learning_plans.infrastructure.search_api import SearchApi
from systems.learning_plans.infrastructure.youtube_search import YouTubeSearch
from systems.learning_plans.settings import Settings


@dataclass(frozen=True, slots=True)
class Searches:
    """Each None where the settings do not allow it."""

    videos: Search[FoundVideo] | None
    docs: Search[FoundPage] | None


def searches_of(
    settings: Settings, web: httpx2.AsyncClient, sessions: async_sessionmaker[AsyncSession], clock: Clock
) -> Searches:
    """Videos with a YouTube key; documentation with Google's key and engine, or else with `DOCS_SEARCH_ENABLED`.

    All calls to Google share one limiter, whose book all processes on the database share.
    """
    book = SqlCallBook(
        sessions, clock, spacing_s=settings.google_call_spacing_ms / 1000, daily_limit=settings.google_daily_limit
    )
    limiter = GoogleLimiter(book, concurrency=settings.google_max_concurrency)
    source = _docs_source(settings, web, limiter)
    return Searches(_videos(settings, web, limiter), None if source is None else _docs(settings, source))


def _videos(settings: Settings, web: httpx2.AsyncClient, limiter: GoogleLimiter) -> Search[FoundVideo] | None:
    if settings.youtube_api_key is None:
        return None
    secrets = _key(settings.youtube_api_key)
    return YouTubeSearch(SearchApi("YouTube", web, settings.youtube_base_url, secrets=secrets, limiter=limiter))


def _docs_source(settings: Settings, web: httpx2.AsyncClient, limiter: GoogleLimiter) -> DocsSource | None:
    if settings.google_cse_key is not None and settings.google_cse_id is not None:
        secrets = _key(settings.google_cse_key)
        api = SearchApi("Google", web, settings.google_cse_base_url, secrets=secrets, limiter=limiter)
        return GoogleDocs(api, settings.google_cse_id, settings.docs_allowed_domains)
    if settings.docs_search_enabled:
        mdn = MdnDocs(SearchApi("MDN", web, settings.mdn_base_url), settings.mdn_base_url)
        return FirstThatFinds(KnownDocs(), mdn)
    return None


def _docs(settings: Settings, source: DocsSource) -> DocumentationSearch:
    domains = settings.docs_allowed_domains
    return DocumentationSearch(source, LinkCheck(domains, allow_private=settings.docs_allow_private_hosts), domains)


def _key(key: SecretStr) -> dict[str, str]:
    return {"key": key.get_secret_value()}
