"""Where pages of documentation are looked for; what they bring is not checked yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from systems.learning_plans.application.curation_ports import Waiting
from systems.learning_plans.domain.doc_topics import pages_for
from systems.learning_plans.domain.found import FoundPage
from systems.learning_plans.infrastructure.json_fields import Fields, inner, items, moment, text
from systems.learning_plans.infrastructure.search_api import SearchApi

GOOGLE_RESULTS = 5
MAX_TITLE_CHARS = 500
_MDN_PATH = "/api/v1/search"
# What pages tell of their age, the best first.
_DATES = ("article:modified_time", "og:updated_time", "article:published_time")


class DocsSource(Protocol):
    """One place to look."""

    async def find(self, query: str, waiting: Waiting) -> Sequence[FoundPage]:
        """Pages in the place's own order. Raises `SearchFailed`."""
        ...


class GoogleDocs:
    """Google's Custom Search JSON API, told to look at the allowed sites only:
    https://developers.google.com/custom-search/v1/reference/rest/v1/cse/list"""

    def __init__(self, api: SearchApi, engine_id: str, domains: Sequence[str]) -> None:
        self._api = api
        self._engine_id = engine_id
        self._sites = " OR ".join(f"site:{domain}" for domain in domains)

    async def find(self, query: str, waiting: Waiting) -> Sequence[FoundPage]:
        """See the protocol."""
        wanted = {"cx": self._engine_id, "num": str(GOOGLE_RESULTS), "q": f"{query} ({self._sites})"}
        answer = await self._api.get("", wanted, waiting)
        return [
            FoundPage(text(item, "link"), text(item, "title")[:MAX_TITLE_CHARS], _modified(item))
            for item in items(answer, "items")[:GOOGLE_RESULTS]
        ]


class KnownDocs:
    """The pages known by heart."""

    async def find(self, query: str, waiting: Waiting) -> Sequence[FoundPage]:
        """See the protocol; never fails."""
        return [FoundPage(page.url, page.title) for page in pages_for(query)]


class MdnDocs:
    """The search of MDN Web Docs: `GET {base_url}/api/v1/search?q=…&locale=en-US`."""

    def __init__(self, api: SearchApi, base_url: str) -> None:
        self._api = api
        self._base_url = base_url

    async def find(self, query: str, waiting: Waiting) -> Sequence[FoundPage]:
        """See the protocol."""
        answer = await self._api.get(_MDN_PATH, {"q": query, "locale": "en-US"}, waiting)
        return [
            FoundPage(self._base_url + path, text(page, "title")[:MAX_TITLE_CHARS])
            for page in items(answer, "documents")
            if (path := text(page, "mdn_url")).startswith("/")
        ]


class FirstThatFinds:
    """Sources in order; the next is asked when one finds nothing."""

    def __init__(self, *sources: DocsSource) -> None:
        self._sources = sources

    async def find(self, query: str, waiting: Waiting) -> Sequence[FoundPage]:
        """See the protocol."""
        for source in self._sources:
            found = await source.find(query, waiting)
            if found:
                return found
        return []


def _modified(item: Fields) -> datetime | None:
    tags = items(inner(item, "pagemap"), "metatags")
    told = (moment(text(tag, name)) for name in _DATES for tag in tags)
    return next((time for time in told if time is not None), None)
