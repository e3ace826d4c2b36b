from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.domain.doc_sites import DEFAULT_DOMAINS, clean_url, host_of, site_of
from systems.learning_plans.domain.doc_topics import TOPICS, pages_for
from systems.learning_plans.domain.relevance import relevance


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("react.dev", "react.dev"),
        ("www.postgresql.org", "postgresql.org"),
        ("evilreact.dev", None),
        ("react.dev.evil.example", None),
        ("python.org", None),
        ("", None),
    ],
)
def test_a_host_is_on_the_list_or_below_a_domain_of_it(host: str, site: str | None) -> None:
    assert site_of(host, DEFAULT_DOMAINS) == site


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("https://React.dev", "https://react.dev/"),
        ("HTTPS://react.dev.:443/learn?utm_source=x&a=1&UTM_b=2#top", "https://react.dev/learn?a=1#top"),
        ("http://go.dev:8080/x?gclid=1&fbclid=2&ref=3&reference=4", "http://go.dev:8080/x?reference=4"),
        ("https://go.dev/x?a=%20b&a=&&c", "https://go.dev/x?a=%20b&a=&&c"),
        ("https://go.dev/x?%75tm_source=1", "https://go.dev/x"),
        ("https://go.dev/x?ref", "https://go.dev/x"),
    ],
)
def test_tracking_parameters_are_taken_off_and_the_rest_stays(url: str, cleaned: str) -> None:
    assert clean_url(url) == cleaned


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://go.dev/",
        "//go.dev/",
        "go.dev/doc",
        "https://",
        "https:///x",
        "https://go.dev@evil.example/",
        "https://evil.example\\.go.dev/",
        "https://go.dev/ x",
        "https://go.dev/x>](javascript:alert(1))",
        'https://go.dev/"onclick="x',
        "https://go.dev/\\x",
        "https://go.dev/é",
        "https://go.dev/\n",
        "https://go.dev/\u202e",
        "https://gó.dev/",
        "https://[::1/",
        "https://[::1]/",
        "https://go.dev:99999/",
        "https://go.dev:x/",
        "https://go.dev/" + "x" * 2000,
    ],
)
def test_an_address_that_two_readers_might_read_differently_is_none(url: str) -> None:
    assert host_of(url) is None
    assert clean_url(url) is None


@given(st.text(max_size=80) | st.from_regex(r"https?://[a-z.]{1,20}(:\d{1,5})?(/[\w?&=.#%]{0,30})?", fullmatch=True))
def test_cleaning_is_done_after_one_time_and_never_changes_the_host(url: str) -> None:
    cleaned = clean_url(url)
    if cleaned is not None:
        assert clean_url(cleaned) == cleaned
        assert urlsplit(cleaned).hostname == host_of(url)
        assert urlsplit(cleaned).scheme in {"http", "https"}


@given(st.lists(st.sampled_from(["utm_source=a", "a=1", "gclid=2", "b", "ref=x", "fbclid="])))
def test_what_is_no_tracking_keeps_its_order(pieces: list[str]) -> None:
    kept = [piece for piece in pieces if piece in {"a=1", "b"}]
    query = "&".join(kept)
    assert clean_url(f"https://go.dev/x?{'&'.join(pieces)}") == f"https://go.dev/x{'?' + query if query else ''}"


def test_every_known_page_is_an_address_of_the_list_with_a_title_that_fits_its_topic() -> None:
    for topic, pages in TOPICS:
        for page in pages:
            assert site_of(host_of(page.url) or "", DEFAULT_DOMAINS), page
            assert clean_url(page.url) == page.url
            assert relevance(topic, page.title) > 0, (topic, page)
        assert len(pages) <= 3


@pytest.mark.parametrize(
    ("query", "host"),
    [
        ("TypeScript Generic types", "www.typescriptlang.org"),
        ("JavaScript closures", "developer.mozilla.org"),
        ("Python Lists and dictionaries", "docs.python.org"),
        ("Postgres indexes", "www.postgresql.org"),
        ("SQL joins", "www.postgresql.org"),
        ("C# records", "learn.microsoft.com"),
        ("Node.js streams", "nodejs.org"),
        ("Learn Go programming", "go.dev"),
    ],
)
def test_a_topic_brings_its_own_pages(query: str, host: str) -> None:
    assert {host_of(page.url) for page in pages_for(query)} == {host}


@pytest.mark.parametrize(
    "query", ["Photosynthesis Light reactions", "How to go vegan", "Angular momentum of a wheel", "Reactive power", ""]
)
def test_other_topics_bring_none(query: str) -> None:
    assert list(pages_for(query)) == []


def test_the_first_topic_of_the_list_decides() -> None:
    titles = [page.title for page in pages_for("JavaScript and TypeScript")]
    assert all("TypeScript" in title for title in titles)
