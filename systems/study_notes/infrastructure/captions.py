"""Captions of YouTube videos: `GET {base_url}/api/timedtext?v&lang&fmt=json3`."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2

from penstock.ai.failures import failure_of
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.languages import two_letters
from systems.study_notes.domain.spoken import TimedText
from systems.study_notes.infrastructure.failures import error_of
from systems.study_notes.infrastructure.json_exchange import ExchangeFailed, exchange

NAME = "youtube"
TIMEOUT_S = 20.0
# The service gives captions of one language only, and has to be told which.
_USUAL = "eng"
# How it says that there is no such video, or that it has nothing in this language.
_NOT_THERE = (400, 404, 410)


class YoutubeCaptions:
    """The port `Captions`."""

    def __init__(self, client: httpx2.AsyncClient, base_url: str, timeout_s: float = TIMEOUT_S) -> None:
        """`base_url` has no slash at its end; `timeout_s` bounds the whole of one request."""
        self._client = client
        self._base_url = base_url
        self._timeout_s = timeout_s

    async def fetch(self, video: str, language: str | None) -> Sequence[TimedText]:
        """See the port. Without a language English captions are asked for."""
        wanted = language or _USUAL
        query = {"v": video, "lang": two_letters(wanted) or wanted, "fmt": "json3"}
        captions = list(_timed(await self._answer(query)))
        if not captions:
            raise PermanentSourceError(
                f"the video has no captions in the language {wanted!r}"
                + ("" if language else ": if it has others, hand it in again with its language")
            )
        return captions

    async def _answer(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """The answer's fields, none when there are no captions."""
        request = self._client.build_request("GET", f"{self._base_url}/api/timedtext", params=query)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await exchange(self._client, request)
        except TimeoutError as error:
            raise StageError(f"{NAME} did not answer within {self._timeout_s:g} s") from error
        except ExchangeFailed as error:
            if error.trouble.status in _NOT_THERE:
                return {}
            failure = failure_of(error.trouble, provider=NAME, model="captions", now=datetime.now(UTC))
            raise error_of("the captions could not be fetched", failure) from error
        return answer.fields if answer else {}


def _timed(answer: Mapping[str, Any]) -> Iterator[TimedText]:
    """The lines of an answer in json3: events with a begin and a duration (ms), their text in segments."""
    events = answer.get("events")
    for event in events if isinstance(events, list) else []:
        if not isinstance(event, dict):
            continue
        start, length, segments = event.get("tStartMs"), event.get("dDurationMs", 0), event.get("segs")
        if not isinstance(start, int | float) or not isinstance(length, int | float) or not isinstance(segments, list):
            continue
        pieces = [one.get("utf8") for one in segments if isinstance(one, dict)]
        text = " ".join("".join(piece for piece in pieces if isinstance(piece, str)).split())
        if text:
            yield TimedText(text, start / 1000, (start + length) / 1000)
