"""Captions over the wire."""

import threading
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.spoken import TimedText
from systems.study_notes.infrastructure.captions import YoutubeCaptions
from systems.study_notes.infrastructure.json_exchange import MAX_ANSWER_BYTES
from tests.study_notes.wires.media_wires import CAPTIONS, MediaWires
from tests.support import faults

VIDEO = "aqz-KE-bpKQ"
PASSING = {
    "429": faults.too_many(), "500": faults.status(500), "html": faults.html(),
    "not JSON": faults.body(b'{"events": ['),
    "a list": faults.body(b"[1]"), "another type": faults.body(b"{}", "text/html"), "packed": faults.packed(),
    "redirect": faults.redirect("http://169.254.169.254/"), "cut": faults.cut, "cut short": faults.cut_in_the_middle,
    "huge": faults.huge(MAX_ANSWER_BYTES // 1_000_000 + 2),
}  # fmt: skip


@pytest.fixture
async def captions(media: MediaWires) -> AsyncIterator[YoutubeCaptions]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield YoutubeCaptions(client, media.url)


@pytest.fixture
def stalled() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_lines_come_in_order_with_their_times(captions: YoutubeCaptions, media: MediaWires) -> None:
    media.captions[VIDEO, "es"] = [("El agua  mueve", 0, 1500), ("la rueda.", 1500, 2000)]
    assert await captions.fetch(VIDEO, "spa") == [
        TimedText("El agua mueve", 0.0, 1.5), TimedText("la rueda.", 1.5, 3.5),
    ]  # fmt: skip
    assert media.asked == [{"v": VIDEO, "lang": "es", "fmt": "json3"}]


async def test_without_a_language_english_is_asked_for_and_the_refusal_says_what_to_do(
    captions: YoutubeCaptions, media: MediaWires
) -> None:
    media.captions[VIDEO, "es"] = [("Hola", 0, 1)]
    with pytest.raises(PermanentSourceError, match="no captions in the language 'eng': if it has others, hand it in"):
        await captions.fetch(VIDEO, None)
    assert [asked["lang"] for asked in media.asked] == ["en"]


@pytest.mark.parametrize("fault", [faults.body(b""), faults.body(b"{}"), faults.body(b'{"events": 7}'),
                                   faults.status(404), faults.status(400)])  # fmt: skip
async def test_no_captions_is_for_good(captions: YoutubeCaptions, media: MediaWires, fault: faults.Fault) -> None:
    media.faults[CAPTIONS] = [fault]
    with pytest.raises(PermanentSourceError, match="no captions"):
        await captions.fetch(VIDEO, "eng")
    assert media.calls[CAPTIONS] == 1


@pytest.mark.parametrize("name", PASSING)
async def test_trouble_may_pass(captions: YoutubeCaptions, media: MediaWires, name: str) -> None:
    media.faults[CAPTIONS] = [PASSING[name]]
    with pytest.raises(StageError, match="could not be fetched: youtube"):
        await captions.fetch(VIDEO, "eng")
    assert media.calls[CAPTIONS] == 1


async def test_the_time_to_wait_is_handed_on(captions: YoutubeCaptions, media: MediaWires) -> None:
    media.faults[CAPTIONS] = [faults.too_many("3")]
    with pytest.raises(StageError) as caught:
        await captions.fetch(VIDEO, "eng")
    assert caught.value.retry_after_s == 3


async def test_a_service_that_says_nothing_is_left(media: MediaWires, stalled: threading.Event) -> None:
    media.faults[CAPTIONS] = [faults.stall(stalled)]
    async with httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(StageError, match=r"did not answer within 0\.2 s"):
            await YoutubeCaptions(client, media.url, timeout_s=0.2).fetch(VIDEO, "eng")


async def test_a_service_that_is_not_there_may_come_back() -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(StageError, match="cannot be reached"):
            await YoutubeCaptions(client, "http://127.0.0.1:1").fetch(VIDEO, "eng")


async def test_events_of_another_shape_are_left_out(captions: YoutubeCaptions, media: MediaWires) -> None:
    answer = (
        b'{"events": [7, {"segs": [{"utf8": "x"}]}, {"tStartMs": "0", "segs": []}, {"tStartMs": 1000, "segs": 5},'
        b'{"tStartMs": 2000, "segs": [{"utf8": "kept"}, {"utf8": 9}, 4]}]}'
    )
    media.faults[CAPTIONS] = [faults.body(answer)]
    assert await captions.fetch(VIDEO, "eng") == [TimedText("kept", 2.0, 2.0)]
