"""Documentation that may be attached: on an allowed site, under a clean address, and there."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from systems.learning_plans.application.curation_ports import Waiting
from systems.learning_plans.domain.doc_sites import clean_url, host_of, site_of
from systems.learning_plans.domain.found import FoundPage
from systems.learning_plans.infrastructure.docs_sources import DocsSource

RESULTS = 3
# More than this is not asked about one search.
MAX_CHECKED = 10


class Refuses(Protocol):
    """A check of addresses."""

    async def refusal(self, url: str) -> str | None:
        """Why an address will not do, None when it does."""
        ...


class DocumentationSearch:
    """The port `Search` for documentation: the first three pages of a source that pass every check."""

    def __init__(self, source: DocsSource, links: Refuses, domains: Sequence[str]) -> None:
        self._source = source
        self._links = links
        self._domains = domains

    async def search(self, query: str, waiting: Waiting, /) -> Sequence[FoundPage]:
        """See the port."""
        found = await self._source.find(query, waiting)
        pages = {page.url: page for page in map(self._allowed, found) if page is not None}
        asked = list(pages.values())[:MAX_CHECKED]
        refusals = await asyncio.gather(*(self._links.refusal(page.url) for page in asked))
        return [page for page, refusal in zip(asked, refusals, strict=True) if refusal is None][:RESULTS]

    def _allowed(self, page: FoundPage) -> FoundPage | None:
        url = clean_url(page.url)
        if url is None or not page.title or site_of(host_of(url) or "", self._domains) is None:
            return None
        return replace(page, url=url)
