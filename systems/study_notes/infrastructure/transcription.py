"""Speech to text: ElevenLabs, then OpenAI's wire, each a provider of the engine's model port.

What a provider answers is brought into one form, `{"text", "words": [[text, start_s, end_s], …]}`, which is the text of
the model's answer.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import orjson

from penstock.ai import Attachment, LanguageModel, ModelAnswer, ModelFailure, ModelRequest
from systems.study_notes.application.ports import Transcript
from systems.study_notes.domain.languages import two_letters
from systems.study_notes.domain.spoken import TimedText
from systems.study_notes.infrastructure.failures import error_of
from systems.study_notes.infrastructure.json_provider import JsonProvider

ELEVENLABS_MODEL = "scribe_v1"
OPENAI_MODEL = "whisper-1"
MEDIA_TYPE = "audio/flac"
TRIES = 3
TIMEOUT_S = 600.0
PAUSE_S = 1.0

_INSTRUCTIONS = "Task: transcribe\nWrite down what is said."


class ElevenLabsSpeech(JsonProvider):
    """`POST {base_url}/speech-to-text`, the key in `xi-api-key`; words come with their times in seconds."""

    name = "elevenlabs"

    def asked(self, attachment: Attachment, request: ModelRequest[Any]) -> httpx2.Request:
        """See the base class."""
        language = _language(request)
        return self._client.build_request(
            "POST",
            f"{self._base_url}/speech-to-text",
            headers={"xi-api-key": self._key},
            data={
                "model_id": self.model,
                "timestamps_granularity": "word",
                "tag_audio_events": "false",
                **({"language_code": language} if language else {}),
            },
            files={"file": ("piece.flac", attachment.data, attachment.media_type)},
        )

    def read(self, answer: Mapping[str, Any]) -> str | None:
        """See the base class."""
        spoken = [word for word in _dicts(answer.get("words")) if word.get("type", "word") == "word"]
        return _one_form(answer.get("text"), _words(spoken, "text"))


class OpenAiSpeech(JsonProvider):
    """`POST {base_url}/audio/transcriptions`, as OpenAI and those who speak its wire answer it with words."""

    name = "openai"

    def asked(self, attachment: Attachment, request: ModelRequest[Any]) -> httpx2.Request:
        """See the base class."""
        language = two_letters(_language(request) or "")
        return self._client.build_request(
            "POST",
            f"{self._base_url}/audio/transcriptions",
            headers={"Authorization": f"Bearer {self._key}"},
            data={
                "model": self.model,
                "response_format": "verbose_json",
                "timestamp_granularities[]": ["word", "segment"],
                **({"language": language} if language else {}),
            },
            files={"file": ("piece.flac", attachment.data, attachment.media_type)},
        )

    def read(self, answer: Mapping[str, Any]) -> str | None:
        """See the base class. A server without words in its answer has their segments."""
        words = _words(_dicts(answer.get("words")), "word") or _words(_dicts(answer.get("segments")), "text")
        return _one_form(answer.get("text"), words)


class ModelTranscriber:
    """The port `Transcriber`: each provider is tried `TRIES` times, `timeout_s` each, then the next one.

    `chains` are asked in order, each a chain of one provider; `pause_s` is the wait between two tries (seconds).
    """

    def __init__(
        self, chains: Sequence[LanguageModel], *, timeout_s: float = TIMEOUT_S, pause_s: float = PAUSE_S
    ) -> None:
        self._chains = tuple(chains)
        self._timeout_s = timeout_s
        self._pause_s = pause_s

    async def transcribe(self, audio: bytes, language: str | None) -> Transcript:
        """See the port. The error tells of each provider; the wait is the shortest that one of them named."""
        request = ModelRequest(
            instructions=_INSTRUCTIONS,
            prompt=[language or "", Attachment(audio, MEDIA_TYPE)],
            timeout_s=self._timeout_s,
        )
        failures: list[ModelFailure] = []
        for chain in self._chains:
            outcome = await self._tried(chain, request)
            if isinstance(outcome, ModelAnswer):
                return _transcript(outcome)
            failures.append(outcome)
        raise error_of("a part of the recording could not be transcribed", _all_of(failures))

    async def _tried(self, chain: LanguageModel, request: ModelRequest) -> ModelAnswer[str] | ModelFailure:
        outcome = await chain.ask(request)
        for _ in range(TRIES - 1):
            # One that names a time to wait is not asked before it: another provider may answer meanwhile.
            if isinstance(outcome, ModelAnswer) or not outcome.retryable or outcome.retry_after_s:
                break
            await asyncio.sleep(self._pause_s)
            outcome = await chain.ask(request)
        return outcome


def _all_of(failures: Sequence[ModelFailure]) -> ModelFailure:
    """One failure for those of all providers: any of them that may pass is reason enough to ask again."""
    hopeful = [failure for failure in failures if failure.retryable]
    waits = [failure.retry_after_s or 0.0 for failure in hopeful]
    message = "; ".join(failure.message for failure in failures)
    return replace((hopeful or failures)[-1], message=message, retry_after_s=min(waits, default=0.0) or None)


def _transcript(answer: ModelAnswer[str]) -> Transcript:
    found = orjson.loads(answer.text)
    words = tuple(TimedText(text, start_s, end_s) for text, start_s, end_s in found["words"])
    return Transcript(found["text"], words, answer.provider)


def _language(request: ModelRequest[Any]) -> str | None:
    return next((part for part in request.parts if isinstance(part, str)), "") or None


def _one_form(text: object, words: list[tuple[str, float, float]]) -> str | None:
    if not isinstance(text, str):
        return None
    return orjson.dumps({"text": text.strip(), "words": words}).decode()


def _dicts(found: object) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _words(found: Sequence[Mapping[str, Any]], field: str) -> list[tuple[str, float, float]]:
    return list(_timed(found, field))


def _timed(found: Sequence[Mapping[str, Any]], field: str) -> Iterator[tuple[str, float, float]]:
    for one in found:
        text, start, end = one.get(field), one.get("start"), one.get("end")
        if isinstance(text, str) and text.strip() and isinstance(start, int | float) and isinstance(end, int | float):
            yield text.strip(), float(start), float(end)
