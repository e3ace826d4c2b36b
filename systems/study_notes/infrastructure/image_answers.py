"""What image providers answer: JSON made into candidates, trouble made into one line without any key."""

from collections.abc import Awaitable, Mapping

import httpx2
import orjson

from systems.common.web.retry_after import retry_after_s
from systems.study_notes.domain.errors import ImageSearchError, QuotaExceeded
from systems.study_notes.domain.similarity import ImageCandidate

SEARCH_TIMEOUT = httpx2.Timeout(15.0, connect=5.0)
_MAX_REASON_CHARS = 200
# What the two services say when an account has nothing left, whatever the HTTP status is.
_QUOTA_WORDS = ("run out of searches", "not enough credits", "quota", "rate limit", "throughput limit")


async def json_answer(provider: str, call: Awaitable[httpx2.Response]) -> Mapping[str, object]:
    """The JSON object that a call brings.

    Raises `QuotaExceeded` when the provider says that its quota is used up (or answers 429), with the seconds of
    Retry-After where it names them, and `ImageSearchError` for everything else that is not an answer.
    """
    try:
        response = await call
    except httpx2.TimeoutException as error:
        raise ImageSearchError(f"{provider} did not answer in time") from error
    except httpx2.HTTPError as error:
        raise ImageSearchError(f"{provider} cannot be reached ({type(error).__name__})") from error
    answer = _object(response.content)
    message = _message(answer)
    if response.status_code == 429 or (message and any(word in message.lower() for word in _QUOTA_WORDS)):
        detail = f": {message}" if message else ""
        raise QuotaExceeded(f"{provider} quota is used up{detail}", retry_after_s=retry_after_s(response))
    if not response.is_success:
        detail = f": {message}" if message else ""
        raise ImageSearchError(f"{provider} answered {response.status_code}{detail}")
    if answer is None:
        raise ImageSearchError(f"{provider} answered something that is no JSON object")
    return answer


def candidates(provider: str, results: object, image_field: str) -> list[ImageCandidate]:
    """The results that have an image, a title and a link, in order; `results` is the provider's list field."""
    if not isinstance(results, list):
        return []
    return [
        ImageCandidate(
            image_url=image, title=title, page_url=link, provider=provider, source_name=_text(result, "source") or None
        )
        for result in results
        if isinstance(result, dict)
        and (image := _text(result, image_field))
        and (title := _text(result, "title"))
        and (link := _text(result, "link"))
    ]


def _text(result: Mapping[str, object], field: str) -> str:
    value = result.get(field)
    return value.strip() if isinstance(value, str) else ""


def _object(content: bytes) -> Mapping[str, object] | None:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _message(answer: Mapping[str, object] | None) -> str:
    # SerpAPI says `error`, Serper `message`.
    found = next((text for field in ("error", "message") if answer and (text := _text(answer, field))), "")
    return " ".join(found.split())[:_MAX_REASON_CHARS]
