import logging
import threading
from collections.abc import AsyncIterator

import httpx2
import pytest
from pytest_httpserver import HTTPServer

from systems.study_notes.domain.errors import ImageSearchError, NoImageProvider, QuotaExceeded
from systems.study_notes.domain.similarity import ImageCandidate
from systems.study_notes.infrastructure import image_answers
from systems.study_notes.infrastructure.image_search import SerpApi, Serper, choose_search
from tests.support import faults

SERPAPI_RESULT = {
    "position": 1,
    "original": "https://e.org/wheel.jpg",
    "title": "Overshot wheel",
    "link": "https://e.org/wheel",
    "source": "Example",
}
SERPER_RESULT = {
    "imageUrl": "https://e.net/wheel.jpg",
    "title": "A wheel",
    "link": "https://e.net/wheel",
    "source": "Net",
}


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=5, trust_env=False) as opened:
        yield opened


@pytest.fixture
def serpapi(client: httpx2.AsyncClient, httpserver: HTTPServer) -> SerpApi:
    return SerpApi(client, httpserver.url_for("").rstrip("/"), "serpapi-secret")


@pytest.fixture
def serper(client: httpx2.AsyncClient, httpserver: HTTPServer) -> Serper:
    return Serper(client, httpserver.url_for("").rstrip("/"), "serper-secret")


async def test_serpapi_is_asked_and_read_as_its_wire_says(serpapi: SerpApi, httpserver: HTTPServer) -> None:
    query = {"engine": "google_images", "q": "mill & wheel", "api_key": "serpapi-secret"}
    httpserver.expect_oneshot_request("/search.json", method="GET", query_string=query).respond_with_json(
        {"images_results": [SERPAPI_RESULT]}
    )
    assert await serpapi.search("mill & wheel", 5) == [
        ImageCandidate("https://e.org/wheel.jpg", "Overshot wheel", "https://e.org/wheel", "serpapi", "Example")
    ]
    httpserver.check()


async def test_serper_is_asked_and_read_as_its_wire_says(serper: Serper, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(
        "/images", method="POST", headers={"X-API-KEY": "serper-secret"}, json={"q": "wheel"}
    ).respond_with_json({"images": [SERPER_RESULT]})
    assert await serper.search("wheel", 5) == [
        ImageCandidate("https://e.net/wheel.jpg", "A wheel", "https://e.net/wheel", "serper", "Net")
    ]
    httpserver.check()


async def test_no_more_candidates_than_asked_for(serpapi: SerpApi, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/search.json").respond_with_json({"images_results": [SERPAPI_RESULT] * 9})
    assert len(await serpapi.search("wheel", 2)) == 2


@pytest.mark.parametrize("field", ["original", "title", "link"])
@pytest.mark.parametrize("value", [None, "", "  ", 7])
async def test_a_result_without_image_title_or_link_is_left_out(
    serpapi: SerpApi, httpserver: HTTPServer, field: str, value: object
) -> None:
    results = [{**SERPAPI_RESULT, field: value}, "nonsense", SERPAPI_RESULT]
    httpserver.expect_request("/search.json").respond_with_json({"images_results": results})
    assert len(await serpapi.search("wheel", 5)) == 1


async def test_a_source_may_be_missing(serpapi: SerpApi, httpserver: HTTPServer) -> None:
    result = {key: value for key, value in SERPAPI_RESULT.items() if key != "source"}
    httpserver.expect_request("/search.json").respond_with_json({"images_results": [result]})
    assert [found.source_name for found in await serpapi.search("wheel", 5)] == [None]


@pytest.mark.parametrize("answer", [{}, {"images_results": None}, {"images_results": {}}, {"images_results": []}])
async def test_an_answer_without_results_is_no_result(serpapi: SerpApi, httpserver: HTTPServer, answer: object) -> None:
    httpserver.expect_request("/search.json").respond_with_json(answer)
    assert await serpapi.search("wheel", 5) == []


async def test_serpapi_saying_it_found_nothing_is_no_error(serpapi: SerpApi, httpserver: HTTPServer) -> None:
    said = {"error": "Google hasn't returned any results for this query."}
    httpserver.expect_request("/search.json").respond_with_json(said)
    assert await serpapi.search("wheel", 5) == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [(429, {"error": "Your account has run out of searches."}), (200, {"error": "Your plan has run out of searches"})],
)
async def test_a_used_up_quota_has_its_own_message(
    serpapi: SerpApi, httpserver: HTTPServer, status: int, answer: object
) -> None:
    httpserver.expect_request("/search.json").respond_with_json(answer, status=status)
    with pytest.raises(QuotaExceeded, match=r"serpapi quota is used up: Your (account|plan) has run out"):
        await serpapi.search("wheel", 5)


async def test_serpers_used_up_credits_are_a_quota_too(serper: Serper, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/images").respond_with_json({"message": "Not enough credits"}, status=400)
    with pytest.raises(QuotaExceeded, match="serper quota is used up: Not enough credits"):
        await serper.search("wheel", 5)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("3", 3, 3), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("Wed, 21 Oct 2415 07:28:00 GMT", 86_400, 86_400)],
)
async def test_retry_after_is_handed_on(
    serper: Serper, httpserver: HTTPServer, header: str, least: float, most: float
) -> None:
    httpserver.expect_request("/images").respond_with_json({}, status=429, headers={"Retry-After": header})
    with pytest.raises(QuotaExceeded) as caught:
        await serper.search("wheel", 5)
    assert caught.value.retry_after_s is not None
    assert least <= caught.value.retry_after_s <= most


@pytest.mark.parametrize("header", ["soon", ""])
async def test_a_retry_after_without_meaning_is_none(serper: Serper, httpserver: HTTPServer, header: str) -> None:
    httpserver.expect_request("/images").respond_with_json({}, status=429, headers={"Retry-After": header})
    with pytest.raises(QuotaExceeded) as caught:
        await serper.search("wheel", 5)
    assert caught.value.retry_after_s is None


@pytest.mark.parametrize(
    ("status", "body"), [(500, "oops"), (401, '{"error": "Invalid API key"}'), (200, "<html>"), (200, "[]")]
)
async def test_trouble_is_one_line_without_the_key(
    serpapi: SerpApi, httpserver: HTTPServer, status: int, body: str
) -> None:
    httpserver.expect_request("/search.json").respond_with_data(body, status=status)
    with pytest.raises(ImageSearchError, match="serpapi answered") as caught:
        await serpapi.search("wheel", 5)
    assert not isinstance(caught.value, QuotaExceeded)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.html(), "no JSON object"),
        (faults.body(b'{"images": []}', "text/html"), "no JSON object"),
        (faults.body(b""), "nothing"),
        (faults.packed(), "packed"),
        (faults.huge(6), "more than"),
        (faults.redirect("http://169.254.169.254/latest/meta-data"), "302"),
        (faults.cut, "cannot be reached"),
        (faults.cut_in_the_middle, "cannot be reached"),
    ],
)
async def test_what_is_no_answer_is_not_read_and_not_followed(
    serper: Serper, httpserver: HTTPServer, fault: faults.Fault, reason: str
) -> None:
    httpserver.expect_request("/images").respond_with_handler(fault)
    with pytest.raises(ImageSearchError, match=f"serper .*{reason}"):
        await serper.search("wheel", 5)
    assert len(httpserver.log) <= 1


async def test_a_provider_that_says_nothing_is_left(
    serper: Serper, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(image_answers, "SEARCH_TIMEOUT_S", 0.2)
    httpserver.expect_request("/images").respond_with_handler(faults.stall(over))
    with pytest.raises(ImageSearchError, match="serper did not answer in time"):
        await serper.search("wheel", 5)
    over.set()


async def test_a_provider_that_cannot_be_reached_is_an_error_without_the_key(client: httpx2.AsyncClient) -> None:
    with pytest.raises(ImageSearchError, match="serpapi cannot be reached") as caught:
        await SerpApi(client, "http://127.0.0.1:1", "serpapi-secret").search("wheel", 5)
    assert "secret" not in str(caught.value)


async def test_a_provider_that_does_not_answer_in_time_is_an_error(client: httpx2.AsyncClient) -> None:
    async def refuse(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("slow")

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(refuse)) as slow:
        with pytest.raises(ImageSearchError, match="serper did not answer in time"):
            await Serper(slow, "http://127.0.0.1", "k").search("wheel", 5)


async def test_the_key_is_not_in_the_clients_log(
    serpapi: SerpApi, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/search.json").respond_with_json({})
    with caplog.at_level(logging.DEBUG):
        await serpapi.search("wheel", 5)
    logged = " ".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")  # the server's own
    assert "/search.json" in logged
    assert "secret" not in logged


async def test_serper_is_asked_when_serpapi_has_used_up_its_quota(
    serpapi: SerpApi, serper: Serper, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/search.json").respond_with_json({}, status=429)
    httpserver.expect_request("/images").respond_with_json({"images": [SERPER_RESULT]})
    found = await choose_search("auto", serpapi, serper).search("wheel", 5)
    assert [candidate.provider for candidate in found] == ["serper"]


async def test_serper_is_asked_when_serpapi_finds_nothing(
    serpapi: SerpApi, serper: Serper, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/search.json").respond_with_json({"images_results": []})
    httpserver.expect_request("/images").respond_with_json({"images": [SERPER_RESULT]})
    assert len(await choose_search("auto", serpapi, serper).search("wheel", 5)) == 1


async def test_serper_is_left_alone_when_serpapi_finds_something(
    serpapi: SerpApi, serper: Serper, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/search.json").respond_with_json({"images_results": [SERPAPI_RESULT]})
    assert len(await choose_search("auto", serpapi, serper).search("wheel", 5)) == 1
    assert [request.path for request, _ in httpserver.log] == ["/search.json"]


@pytest.mark.parametrize("first", [200, 500])
async def test_nothing_found_anywhere_is_an_empty_answer(
    serpapi: SerpApi, serper: Serper, httpserver: HTTPServer, first: int
) -> None:
    httpserver.expect_request("/search.json").respond_with_json({}, status=first)
    httpserver.expect_request("/images").respond_with_json({"images": []})
    assert await choose_search("auto", serpapi, serper).search("wheel", 5) == []


async def test_when_nobody_answers_every_reason_is_told(
    serpapi: SerpApi, serper: Serper, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/search.json").respond_with_json({}, status=429, headers={"Retry-After": "7"})
    httpserver.expect_request("/images").respond_with_json({}, status=503)
    with pytest.raises(ImageSearchError, match="serpapi quota is used up; serper answered 503") as caught:
        await choose_search("auto", serpapi, serper).search("wheel", 5)
    assert not isinstance(caught.value, QuotaExceeded)
    assert caught.value.retry_after_s == 7


async def test_used_up_quotas_everywhere_are_a_quota_error(
    serpapi: SerpApi, serper: Serper, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/search.json").respond_with_json({}, status=429)
    httpserver.expect_request("/images").respond_with_json({"message": "Not enough credits"}, status=400)
    with pytest.raises(QuotaExceeded):
        await choose_search("auto", serpapi, serper).search("wheel", 5)


@pytest.mark.parametrize("choice", ["auto", "offline"])
async def test_without_keys_the_picture_is_the_offline_one(choice: str) -> None:
    found = await choose_search(choice, None, None).search("overshot wheel", 5)
    assert [(one.offline, one.provider, one.title) for one in found] == [(True, "offline picture", "overshot wheel")]


async def test_none_means_that_nobody_is_asked(serpapi: SerpApi, serper: Serper) -> None:
    with pytest.raises(NoImageProvider, match="no image provider configured"):
        await choose_search("none", serpapi, serper).search("wheel", 5)


@pytest.mark.parametrize(("choice", "word"), [("serpapi", "SERPAPI_KEY"), ("serper", "SERPER_KEY"), ("bing", "auto")])
def test_a_choice_that_cannot_be_met_is_refused_at_the_start(choice: str, word: str) -> None:
    with pytest.raises(ValueError, match=f"IMAGE_PROVIDER.*{word}"):
        choose_search(choice, None, None)


async def test_one_provider_may_be_chosen_alone(serpapi: SerpApi, serper: Serper, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/images").respond_with_json({"images": []})
    assert await choose_search("serper", serpapi, serper).search("wheel", 5) == []
    assert [request.path for request, _ in httpserver.log] == ["/images"]
