import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import httpx2
import pytest

from systems.common.database.connections import Database
from systems.learning_plans.infrastructure.searches import Searches, searches_of
from systems.learning_plans.settings import Settings
from tests.learning_plans.application.curation_fakes import MovableClock
from tests.learning_plans.wires.search_wires import (
    ENGINE,
    GOOGLE,
    GOOGLE_KEY,
    MDN,
    YOUTUBE,
    YOUTUBE_KEY,
    SearchWires,
    Video,
)

Choose = Callable[..., Searches]


@pytest.fixture
def choose(client: httpx2.AsyncClient, wires: SearchWires, database: Database) -> Choose:
    def chosen(**settings: Any) -> Searches:
        local = {
            "youtube_base_url": wires.url + YOUTUBE,
            "google_cse_base_url": wires.url + GOOGLE,
            "mdn_base_url": wires.url + MDN,
            "google_call_spacing_ms": 0,
            "docs_allowed_domains": ("127.0.0.1", "docs.python.org"),
            "docs_allow_private_hosts": True,
        }
        return searches_of(Settings(**{**local, **settings}), client, database.sessions, MovableClock())

    return chosen


def test_without_keys_nothing_is_searched(choose: Choose) -> None:
    assert choose() == Searches(None, None)
    assert choose(google_cse_key=GOOGLE_KEY) == Searches(None, None)


async def test_with_keys_youtube_and_google_are_asked_through_one_limiter(choose: Choose, wires: SearchWires) -> None:
    wires.videos = [Video("a", "SQL")]
    wires.google = [{"title": "SQL", "link": wires.page("sql")}]
    found = choose(
        youtube_api_key=YOUTUBE_KEY, google_cse_key=GOOGLE_KEY, google_cse_id=ENGINE, google_max_concurrency=1
    )
    assert found.videos is not None
    assert found.docs is not None
    videos, pages = await asyncio.gather(
        found.videos.search("SQL", nullcontext), found.docs.search("SQL joins", nullcontext)
    )
    assert (len(videos), len(pages)) == (1, 1)
    assert wires.calls[GOOGLE] == 1
    assert wires.most_in_flight == 1


async def test_enabled_documentation_needs_no_key(choose: Choose, wires: SearchWires) -> None:
    wires.mdn = [{"mdn_url": "/en-US/docs/Glossary/Chlorophyll", "title": "Chlorophyll"}]
    docs = choose(docs_search_enabled=True).docs
    assert docs is not None
    found = await docs.search("Photosynthesis", nullcontext)
    assert [page.url for page in found] == [f"{wires.url}/mdn/en-US/docs/Glossary/Chlorophyll"]
    assert wires.calls[f"{MDN}/api/v1/search"] == 1
