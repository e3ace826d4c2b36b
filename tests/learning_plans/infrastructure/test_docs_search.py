from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from systems.learning_plans.application.curation_ports import SearchFailed, Waiting
from systems.learning_plans.domain.doc_sites import DEFAULT_DOMAINS
from systems.learning_plans.domain.found import FoundPage
from systems.learning_plans.infrastructure.docs_search import DocumentationSearch
from systems.learning_plans.infrastructure.docs_sources import FirstThatFinds, GoogleDocs, KnownDocs, MdnDocs
from systems.learning_plans.infrastructure.link_check import LinkCheck
from systems.learning_plans.infrastructure.search_api import SearchApi
from tests.learning_plans.wires.search_wires import ENGINE, GOOGLE, MDN, SearchWires
from tests.support import faults

Make = Callable[..., SearchApi]
LOCAL = ("127.0.0.1",)
MDN_SEARCH = f"{MDN}/api/v1/search"


class Pages:
    """A source that finds what it is given."""

    def __init__(self, *urls: str) -> None:
        self.pages = [FoundPage(url, "A title") for url in urls]

    async def find(self, query: str, waiting: Waiting) -> Sequence[FoundPage]:
        return self.pages


class Links:
    """A check that finds all there but some."""

    def __init__(self, *dead: str) -> None:
        self.dead = dead
        self.asked: list[str] = []

    async def refusal(self, url: str) -> str | None:
        self.asked.append(url)
        return "answered 404" if url in self.dead else None


async def found_by(search: DocumentationSearch, waiting: Waiting) -> list[str]:
    return [page.url for page in await search.search("SQL", waiting)]


async def test_google_is_told_the_allowed_sites_and_asked_for_five(
    api: Make, wires: SearchWires, waiting: Waiting
) -> None:
    tags = [{"og:title": "x"}, {"article:modified_time": "2026-11-01T00:00:00Z"}]
    wires.google = [{"title": f"SQL {n}", "link": f"https://a.example/{n}"} for n in range(1, 9)]
    wires.google[0]["pagemap"] = {"metatags": tags}
    found = await GoogleDocs(api("Google"), ENGINE, DEFAULT_DOMAINS).find("SQL joins", waiting)
    assert found[0] == FoundPage("https://a.example/1", "SQL 1", datetime(2026, 11, 1, tzinfo=UTC))
    assert [page.modified_at for page in found[1:]] == [None] * 4
    (query,) = wires.queries
    assert query.startswith("SQL joins (site:developer.mozilla.org OR site:docs.python.org OR ")
    assert query.count("site:") == 19


@pytest.mark.parametrize(
    "items",
    [[], ["x", None], [{}], [{"link": 7, "title": []}], [{"link": "https://go.dev/", "title": ""}],
     [{"link": "https://go.dev/", "title": "x", "pagemap": {"metatags": {"article:modified_time": "x"}}}]],
)  # fmt: skip
async def test_odd_answers_of_google_break_nothing(
    api: Make, wires: SearchWires, waiting: Waiting, items: list[dict[str, object]]
) -> None:
    wires.google = items
    search = DocumentationSearch(GoogleDocs(api("Google"), ENGINE, ["go.dev"]), Links(), ["go.dev"])
    assert len(await search.search("Go", waiting)) <= 1


async def test_mdn_brings_pages_below_its_own_address(api: Make, wires: SearchWires, waiting: Waiting) -> None:
    wires.mdn = [
        {"mdn_url": "/en-US/docs/Web/CSS", "title": "CSS", "score": 1.5},
        {"mdn_url": "https://evil.example/", "title": "x"},
        {"title": "no address"},
    ]
    found = await MdnDocs(api("MDN"), "https://developer.mozilla.org").find("css grid", waiting)
    assert found == [FoundPage("https://developer.mozilla.org/en-US/docs/Web/CSS", "CSS")]
    assert wires.queries == ["css grid"]


async def test_mdn_is_asked_only_when_no_page_is_known(api: Make, wires: SearchWires, waiting: Waiting) -> None:
    wires.mdn = [{"mdn_url": "/en-US/docs/Glossary/Chlorophyll", "title": "Chlorophyll"}]
    source = FirstThatFinds(KnownDocs(), MdnDocs(api("MDN"), "https://developer.mozilla.org"))
    assert "python" in (await source.find("Python lists", waiting))[0].url
    assert wires.queries == []
    assert len(await source.find("Photosynthesis", waiting)) == 1
    wires.mdn = []
    assert await source.find("Respiration", waiting) == []


async def test_a_failing_source_is_an_error(api: Make, wires: SearchWires, waiting: Waiting) -> None:
    wires.faults[GOOGLE].append(faults.status(403, "Daily Limit Exceeded"))
    search = DocumentationSearch(GoogleDocs(api("Google"), ENGINE, ["go.dev"]), Links(), ["go.dev"])
    with pytest.raises(SearchFailed, match="Google answered 403: Daily Limit Exceeded"):
        await search.search("Go", waiting)


async def test_other_sites_are_left_out_and_addresses_cleaned_and_taken_once(waiting: Waiting) -> None:
    links = Links()
    source = Pages(
        "https://evil.example/go.dev", "https://go.dev.evil.example/", "javascript:alert(1)",
        "https://go.dev/doc?utm_source=x&v=1", "https://GO.dev/doc?v=1&ref=y", "http://user@go.dev/",
    )  # fmt: skip
    assert await found_by(DocumentationSearch(source, links, ["go.dev"]), waiting) == ["https://go.dev/doc?v=1"]
    assert links.asked == ["https://go.dev/doc?v=1"]


async def test_the_first_three_that_are_there_are_found(waiting: Waiting) -> None:
    urls = [f"https://go.dev/{n}" for n in range(20)]
    links = Links(urls[0], urls[2])
    search = DocumentationSearch(Pages(*urls), links, ["go.dev"])
    assert await found_by(search, waiting) == [urls[1], urls[3], urls[4]]
    assert len(links.asked) == 10


async def test_lp_15_a_dead_link_is_not_found(wires: SearchWires, waiting: Waiting) -> None:
    wires.gone = {"dead"}
    search = DocumentationSearch(
        Pages(wires.page("dead"), wires.page("alive")), LinkCheck(LOCAL, allow_private=True), LOCAL
    )
    assert await found_by(search, waiting) == [wires.page("alive")]
    assert dict(wires.heads) == {"dead": 1, "alive": 1}
