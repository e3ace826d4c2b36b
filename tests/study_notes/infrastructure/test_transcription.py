"""Speech to text over the wire: ElevenLabs, then OpenAI."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from penstock.ai import CallPolicy, ModelChain
from systems.study_notes.application.ports import Transcript
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.spoken import TimedText
from systems.study_notes.infrastructure.transcription import (
    ELEVENLABS_MODEL,
    OPENAI_MODEL,
    ElevenLabsSpeech,
    ModelTranscriber,
    OpenAiSpeech,
)
from tests.study_notes.recordings import recording
from tests.study_notes.wires.media_wires import ELEVENLABS, ELEVENLABS_KEY, OPENAI, OPENAI_KEY, MediaWires
from tests.support import faults

AUDIO = recording("wav", [700], 2.0)
PASSING = {
    "429": faults.too_many(), "500": faults.status(500), "HTML": faults.html(), "cut": faults.cut,
    "cut short": faults.cut_in_the_middle, "another shape": faults.body(b'{"text": 7}'), "nothing": faults.body(b""),
    "another type": faults.body(b'{"text": "x"}', "text/plain"), "huge": faults.huge(20), "packed": faults.packed(),
    "redirect": faults.redirect("http://10.0.0.1/"),
}  # fmt: skip


@asynccontextmanager
async def transcriber(media: MediaWires, *names: str, timeout_s: float = 20) -> AsyncIterator[ModelTranscriber]:
    providers = {
        "elevenlabs": ElevenLabsSpeech(f"{media.url}/elevenlabs", ELEVENLABS_KEY, ELEVENLABS_MODEL),
        "openai": OpenAiSpeech(f"{media.url}/openai", OPENAI_KEY, OPENAI_MODEL),
    }
    chains = [ModelChain([providers[name]], policy=CallPolicy(tries=2, reask=False)) for name in names]
    try:
        yield ModelTranscriber(chains, timeout_s=timeout_s, pause_s=0)
    finally:
        for provider in providers.values():
            await provider.close()


@pytest.fixture
async def alone(media: MediaWires) -> AsyncIterator[ModelTranscriber]:
    async with transcriber(media, "elevenlabs") as made:
        yield made


@pytest.fixture
async def both(media: MediaWires) -> AsyncIterator[ModelTranscriber]:
    async with transcriber(media, "elevenlabs", "openai") as made:
        yield made


@pytest.fixture
def stalled() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_elevenlabs_hears_words_with_their_times(alone: ModelTranscriber, media: MediaWires) -> None:
    words = (TimedText("Tone", 0.0, 0.1), TimedText("700.", 0.1, 2.0))
    assert await alone.transcribe(AUDIO, "spa") == Transcript("Tone 700.", words, "elevenlabs")
    assert media.asked == [
        {"model_id": ["scribe_v1"], "timestamps_granularity": ["word"], "tag_audio_events": ["false"],
         "language_code": ["spa"]},
    ]  # fmt: skip


async def test_openai_hears_words_with_their_times(media: MediaWires) -> None:
    async with transcriber(media, "openai") as openai:
        heard = await openai.transcribe(AUDIO, "spa")
        unknown = await openai.transcribe(AUDIO, None)
    assert heard == unknown
    assert heard == Transcript("Tone 700.", (TimedText("Tone", 0.0, 0.1), TimedText("700", 0.1, 2.0)), "openai")
    assert [asked.get("language") for asked in media.asked] == [["es"], None]
    assert media.asked[0]["timestamp_granularities[]"] == ["word", "segment"]


async def test_a_server_without_words_has_its_segments(media: MediaWires) -> None:
    answer = (
        b'{"text": "A b.", "segments": [{"text": " A b.", "start": 0, "end": 1.5}, {"text": "", "start": 2, "end": 3}]}'
    )
    media.faults[OPENAI] = [faults.body(answer)]
    async with transcriber(media, "openai") as openai:
        assert (await openai.transcribe(AUDIO, None)).words == (TimedText("A b.", 0.0, 1.5),)


@pytest.mark.parametrize("name", PASSING)
async def test_a_try_that_fails_is_followed_by_two_more(alone: ModelTranscriber, media: MediaWires, name: str) -> None:
    media.faults[ELEVENLABS] = [PASSING[name]] * 2
    assert (await alone.transcribe(AUDIO, None)).text == "Tone 700."
    assert media.calls[ELEVENLABS] == 3
    media.faults[ELEVENLABS] = [PASSING[name]] * 3
    with pytest.raises(StageError, match="could not be transcribed: elevenlabs") as caught:
        await alone.transcribe(AUDIO, None)
    assert media.calls[ELEVENLABS] == 6
    assert "secret" not in caught.value.reason


async def test_the_second_provider_is_asked_after_three_tries_of_the_first(
    both: ModelTranscriber, media: MediaWires
) -> None:
    media.faults[ELEVENLABS] = [faults.status(500)] * 3
    assert (await both.transcribe(AUDIO, None)).provider == "openai"
    assert media.calls == {ELEVENLABS: 3, OPENAI: 1}


async def test_who_names_a_time_to_wait_is_not_asked_before_it(both: ModelTranscriber, media: MediaWires) -> None:
    media.faults[ELEVENLABS] = [faults.too_many("3")]
    assert (await both.transcribe(AUDIO, None)).provider == "openai"
    assert media.calls == {ELEVENLABS: 1, OPENAI: 1}
    media.faults |= {ELEVENLABS: [faults.too_many("3")], OPENAI: [faults.too_many("5")]}
    with pytest.raises(StageError) as caught:
        await both.transcribe(AUDIO, None)
    assert caught.value.retry_after_s == 3


async def test_a_wrong_key_is_asked_once_and_the_other_provider_goes_on(media: MediaWires) -> None:
    chains = [
        ModelChain([ElevenLabsSpeech(f"{media.url}/elevenlabs", "wrong", ELEVENLABS_MODEL)]),
        ModelChain([OpenAiSpeech(f"{media.url}/openai", OPENAI_KEY, OPENAI_MODEL)]),
    ]
    assert (await ModelTranscriber(chains, pause_s=0).transcribe(AUDIO, None)).provider == "openai"
    assert media.calls == {ELEVENLABS: 1, OPENAI: 1}
    with pytest.raises(PermanentSourceError, match="Invalid API key"):
        await ModelTranscriber(chains[:1], pause_s=0).transcribe(AUDIO, None)
    for chain in chains:
        await chain.close()


async def test_each_try_has_its_time(media: MediaWires, stalled: threading.Event) -> None:
    media.faults[ELEVENLABS] = [faults.stall(stalled)] * 3
    async with transcriber(media, "elevenlabs", timeout_s=0.2) as alone:
        with pytest.raises(StageError, match=r"no answer within 0\.2 s"):
            await alone.transcribe(AUDIO, None)
    assert media.calls[ELEVENLABS] == 3
