"""OCR over the wire: Mistral, then Gemini."""

import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from penstock.ai import CallPolicy, ModelChain, Provider
from penstock.ai.providers import provider_from
from systems.study_notes.application.ports import Picture
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.infrastructure.ocr import MISTRAL_MODEL, MistralOcr, ModelOcr
from tests.study_notes.wires.media_wires import GEMINI, GOOGLE_KEY, MISTRAL, MISTRAL_KEY, MediaWires
from tests.support import faults

PICTURE = Picture(b"\x89PNG\r\n\x1a\n rest", "image/png")
PASSING = {
    "429": faults.too_many(), "500": faults.status(500), "503 as HTML": faults.html(503), "HTML": faults.html(),
    "another type": faults.body(b'{"pages": []}', "text/plain"), "another shape": faults.body(b'{"pages": 7}'),
    "nothing": faults.body(b""), "redirect": faults.redirect("/elsewhere"), "cut": faults.cut,
    "cut short": faults.cut_in_the_middle, "packed": faults.packed(), "huge": faults.huge(20),
}  # fmt: skip


@pytest.fixture
def mistral(media: MediaWires) -> Provider:
    return MistralOcr(f"{media.url}/mistral", MISTRAL_KEY, MISTRAL_MODEL)


@pytest.fixture
def gemini(media: MediaWires) -> Provider:
    return provider_from(
        "google", model="gemini-2.0-flash", api_key=GOOGLE_KEY, base_url=f"{media.url}/google", wire="openai"
    )


@pytest.fixture
async def alone(mistral: Provider) -> AsyncIterator[ModelOcr]:
    chain = ModelChain([mistral], policy=CallPolicy(tries=2, reask=False))
    yield ModelOcr(chain)
    await chain.close()


@pytest.fixture
async def both(mistral: Provider, gemini: Provider) -> AsyncIterator[ModelOcr]:
    chain = ModelChain([mistral, gemini], policy=CallPolicy(tries=2, reask=False))
    yield ModelOcr(chain)
    await chain.close()


@pytest.fixture
def stalled() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_mistral_reads_the_picture_itself(alone: ModelOcr, media: MediaWires) -> None:
    media.page_text = lambda picture: f"read {picture == PICTURE.data}"
    read = await alone.read(PICTURE)
    assert (read.text, read.provider) == ("read True", "mistral")
    assert media.asked[0]["model"] == "mistral-ocr-latest"
    assert media.asked[0]["document"]["type"] == "image_url"


async def test_gemini_is_asked_when_mistral_fails_and_sees_the_same_picture(both: ModelOcr, media: MediaWires) -> None:
    media.page_text = lambda picture: f"read {picture == PICTURE.data}"
    media.faults[MISTRAL] = [faults.status(500)]
    read = await both.read(PICTURE)
    assert (read.text, read.provider) == ("read True", "google")
    assert media.calls == {MISTRAL: 1, GEMINI: 1}


async def test_mistral_alone_is_asked_when_it_answers(both: ModelOcr, media: MediaWires) -> None:
    await both.read(PICTURE)
    assert media.calls == {MISTRAL: 1}


@pytest.mark.parametrize("failing", [[], [faults.status(500)]], ids=["mistral", "gemini"])
async def test_a_picture_without_text_is_read_as_blank(both: ModelOcr, media: MediaWires, failing) -> None:
    media.page_text = lambda picture: ""
    media.faults[MISTRAL] = failing
    assert (await both.read(PICTURE)).text == ""


@pytest.mark.parametrize("name", PASSING)
async def test_trouble_may_pass(alone: ModelOcr, media: MediaWires, name: str) -> None:
    media.faults[MISTRAL] = [PASSING[name]]
    with pytest.raises(StageError, match="could not be read: mistral") as caught:
        await alone.read(PICTURE)
    assert media.calls == {MISTRAL: 1}
    assert "secret" not in caught.value.reason


async def test_the_time_to_wait_is_handed_on(alone: ModelOcr, media: MediaWires) -> None:
    media.faults[MISTRAL] = [faults.too_many("3")]
    with pytest.raises(StageError) as caught:
        await alone.read(PICTURE)
    assert caught.value.retry_after_s == 3


async def test_a_wrong_key_is_for_good(media: MediaWires) -> None:
    chain = ModelChain([MistralOcr(f"{media.url}/mistral", "wrong", MISTRAL_MODEL)])
    with pytest.raises(PermanentSourceError, match="answered 401: Unauthorized"):
        await ModelOcr(chain).read(PICTURE)
    await chain.close()


async def test_a_service_that_says_nothing_is_left(
    mistral: Provider, media: MediaWires, stalled: threading.Event
) -> None:
    media.faults[MISTRAL] = [faults.stall(stalled)]
    chain = ModelChain([mistral])
    with pytest.raises(StageError, match=r"no answer within 0\.2 s"):
        await ModelOcr(chain, timeout_s=0.2).read(PICTURE)
    await chain.close()
