"""A local server that speaks the wires of the services for captions, OCR and speech, counts what it is asked, and fails
on request. What is said in a piece of a recording is told by its tone, so that order and offsets can be seen."""

import base64
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from werkzeug import Request, Response

from tests.study_notes.recordings import samples_of, tone_of
from tests.support.faults import Fault
from tests.support.wires import Wires

CAPTIONS, MISTRAL, ELEVENLABS, OPENAI, GEMINI = (
    "/api/timedtext", "/mistral/ocr", "/elevenlabs/speech-to-text", "/openai/audio/transcriptions",
    "/google/chat/completions",
)  # fmt: skip
MISTRAL_KEY, ELEVENLABS_KEY, OPENAI_KEY, GOOGLE_KEY = "mistral-secret", "elevenlabs-secret", "openai-secret", "g-secret"
SAMPLES_A_SECOND = 16_000


@dataclass
class MediaWires(Wires):
    """The server. `captions` holds lines (text, start ms, length ms) by video and language; `page_text` what is read
    in a picture; `tone_faults` by path and tone what is always answered for that piece."""

    captions: dict[tuple[str, str], list[tuple[str, int, int]]] = field(default_factory=dict)
    page_text: Callable[[bytes], str] = lambda picture: "Text of a scanned page. Water turns the wheel."
    tone_faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    tones: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    asked: list[dict[str, Any]] = field(default_factory=list)

    def settings(self, *keyed: str) -> dict[str, Any]:
        """The settings that lead here, with keys for the named services (mistral, elevenlabs, openai)."""
        keys = {"mistral": MISTRAL_KEY, "elevenlabs": ELEVENLABS_KEY, "openai": OPENAI_KEY}
        return {
            "youtube_captions_base_url": self.url,
            **{f"{name}_base_url": f"{self.url}/{name}" for name in keys},
            **{f"{name}_api_key": keys[name] for name in keyed},
        }

    def answer(self, request: Request) -> Response:
        """See the base class."""
        answers = {
            CAPTIONS: self._captions,
            MISTRAL: self._mistral,
            ELEVENLABS: self._elevenlabs,
            OPENAI: self._openai,
            GEMINI: self._gemini,
        }
        return answers[request.path](request)

    def _captions(self, request: Request) -> Response:
        self._asks(dict(request.args))
        assert request.args["fmt"] == "json3"
        lines = self.captions.get((request.args["v"], request.args["lang"]))
        if lines is None:  # the service answers nothing at all then
            return Response("", 200, content_type="text/html; charset=UTF-8")
        events: list[dict[str, Any]] = [{"tStartMs": 0, "dDurationMs": 1, "id": 1, "wpWinPosId": 1}]
        for text, start, length in lines:
            words = re.findall(r"\S+\s*", text)
            events.append({"tStartMs": start, "dDurationMs": length, "segs": [{"utf8": word} for word in words]})
            events.append({"tStartMs": start + length, "aAppend": 1, "segs": [{"utf8": "\n"}]})
        return _json({"wireMagic": "pb3", "events": events})

    def _mistral(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {MISTRAL_KEY}":
            return _json({"message": "Unauthorized", "request_id": "1"}, 401)
        asked = request.get_json()
        self._asks(asked)
        text = self.page_text(_picture(asked["document"]["image_url"]))
        page = {"index": 0, "markdown": text, "images": [], "dimensions": {"dpi": 200, "height": 1, "width": 1}}
        usage = {"pages_processed": 1, "doc_size_bytes": None}
        return _json({"pages": [page], "model": asked["model"], "usage_info": usage})

    def _gemini(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {GOOGLE_KEY}":
            return _json({"error": {"code": 401, "message": "API key not valid.", "status": "UNAUTHENTICATED"}}, 401)
        asked = request.get_json()
        self._asks(asked)
        parts = [part for message in asked["messages"] for part in message["content"] if isinstance(part, dict)]
        url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        message = {"role": "assistant", "content": self.page_text(_picture(url)) or "NONE"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}
        return _json({"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"],
                      "choices": [choice], "usage": usage})  # fmt: skip

    def _elevenlabs(self, request: Request) -> Response:
        if request.headers.get("xi-api-key") != ELEVENLABS_KEY:
            return _json({"detail": {"status": "invalid_api_key", "message": "Invalid API key"}}, 401)
        tone, seconds, fault = self._heard(request)
        if fault is not None:
            return fault(request)
        word, spacing = {"type": "word", "speaker_id": "speaker_0"}, {"type": "spacing"}
        words = [
            {"text": "Tone", "start": 0.0, "end": 0.1, **word}, {"text": " ", "start": 0.1, "end": 0.1, **spacing},
            {"text": f"{tone}.", "start": 0.1, "end": seconds, **word},
        ]  # fmt: skip
        return _json({"language_code": "eng", "language_probability": 1.0, "text": f"Tone {tone}.", "words": words})

    def _openai(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {OPENAI_KEY}":
            return _json({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, 401)
        tone, seconds, fault = self._heard(request)
        if fault is not None:
            return fault(request)
        words = [{"word": "Tone", "start": 0.0, "end": 0.1}, {"word": str(tone), "start": 0.1, "end": seconds}]
        segment = {"id": 0, "start": 0.0, "end": seconds, "text": f" Tone {tone}."}
        return _json({"task": "transcribe", "language": "english", "duration": seconds, "text": f"Tone {tone}.",
                      "words": words, "segments": [segment]})  # fmt: skip

    def _heard(self, request: Request) -> tuple[int, float, Fault | None]:
        audio = request.files["file"].read()
        tone = tone_of(audio)
        with self.lock:
            self.tones[request.path].append(tone)
            self.asked.append({name: request.form.getlist(name) for name in request.form})
        return tone, len(samples_of(audio)) / SAMPLES_A_SECOND, self.tone_faults.get((request.path, tone))

    def _asks(self, asked: dict[str, Any]) -> None:
        with self.lock:
            self.asked.append(asked)


def _picture(url: str) -> bytes:
    head, _, data = url.partition(",")
    assert re.fullmatch(r"data:image/(png|jpeg|webp);base64", head)
    return base64.b64decode(data)


def _json(value: object, code: int = 200) -> Response:
    return Response(json.dumps(value), code, content_type="application/json")
