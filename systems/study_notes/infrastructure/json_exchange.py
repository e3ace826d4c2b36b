"""One bounded exchange with a service that answers JSON: its size, its redirects and its kind are not trusted."""

from dataclasses import dataclass, field
from typing import Any

import httpx2

from penstock.ai.failures import Trouble
from systems.common.web.bounded import ASKS_FOR_JSON, Unreadable, body_of, json_object, says_json

CONNECT_S = 10.0
# A page of a book is some kilobytes of text, five minutes of speech with the place of every word some hundred.
MAX_ANSWER_BYTES = 16 * 2**20
_MAX_REASON_CHARS = 200


class ExchangeFailed(Exception):
    """There is no JSON object; `trouble` says what there is instead, without any key."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON object of an answer, and its headers."""

    fields: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def new_client() -> httpx2.AsyncClient:
    """A client that follows no redirect and bounds how long connecting takes; the whole is bounded by its caller."""
    return httpx2.AsyncClient(timeout=httpx2.Timeout(None, connect=CONNECT_S), follow_redirects=False)


async def exchange(
    client: httpx2.AsyncClient, request: httpx2.Request, max_bytes: int = MAX_ANSWER_BYTES
) -> Answer | None:
    """The JSON object that `request` brings, None for an empty answer with status 2xx.

    Raises `ExchangeFailed` for everything else: no connection, one that breaks, another status (a redirect, too), more
    than `max_bytes`, and what is no JSON object.
    """
    request.headers.update(ASKS_FOR_JSON)
    try:
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            body = await body_of(response, max_bytes)
        finally:
            await response.aclose()
    except httpx2.TimeoutException as error:
        raise ExchangeFailed(Trouble("it did not answer in time", broken="time")) from error
    except httpx2.HTTPError as error:
        raise ExchangeFailed(Trouble(f"it cannot be reached ({type(error).__name__})", broken="way")) from error
    except Unreadable as error:
        raise ExchangeFailed(Trouble(f"it {error}", broken="answer")) from error
    headers, found = dict(response.headers), json_object(body)
    if not response.is_success:
        said = f": {words}" if (words := words_in(found)) else ""
        message = f"it answered {response.status_code}{said}"
        raise ExchangeFailed(Trouble(message, response.status_code, _names(found), body=found, headers=headers))
    if not body.strip():
        return None
    if found is None or not says_json(response):
        raise ExchangeFailed(Trouble("it answered something that is no JSON object", broken="answer", headers=headers))
    return Answer(found, headers)


def words_in(found: object) -> str:
    """What the service says of an error, in one line; empty when it says nothing."""
    for part in _parts(found):
        for name in ("message", "error", "detail"):
            if isinstance(text := part.get(name), str) and text.strip():
                return " ".join(text.split())[:_MAX_REASON_CHARS]
    return ""


def _names(found: object) -> tuple[str, ...]:
    """How the service calls the error: `code`, `type` or `status`, at the top or inside `error` or `detail`."""
    names = [part.get(name) for part in _parts(found) for name in ("code", "type", "status")]
    return tuple(name for name in names if isinstance(name, str))


def _parts(found: object) -> list[dict[str, Any]]:
    if not isinstance(found, dict):
        return []
    inner = [part for name in ("error", "detail") if isinstance(part := found.get(name), dict)]
    return [*inner, found]
