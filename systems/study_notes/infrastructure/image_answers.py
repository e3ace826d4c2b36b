"""What image providers answer: JSON made into candidates, trouble made into one line without any key."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx2

from penstock.ai.failures import Trouble
from penstock.ai.headers import retry_after_in
from systems.study_notes.domain.errors import ImageSearchError, QuotaExceeded
from systems.study_notes.domain.similarity import ImageCandidate
from systems.study_notes.infrastructure.json_exchange import ExchangeFailed, exchange, words_in

# Bounds one search, its whole answer included.
SEARCH_TIMEOUT_S = 15.0
_MAX_BYTES = 4 * 2**20
# What the two services say when an account has nothing left, whatever the HTTP status is.
_QUOTA_WORDS = ("run out of searches", "not enough credits", "quota", "rate limit", "throughput limit")


async def json_answer(provider: str, client: httpx2.AsyncClient, request: httpx2.Request) -> Mapping[str, object]:
    """The JSON object that a request brings.

    Raises `QuotaExceeded` when the provider says that its quota is used up (or answers 429), with the seconds of
    Retry-After where it names them, and `ImageSearchError` for everything else that is not an answer.
    """
    try:
        async with asyncio.timeout(SEARCH_TIMEOUT_S):
            answer = await exchange(client, request, _MAX_BYTES)
    except TimeoutError as error:
        raise ImageSearchError(f"{provider} did not answer in time") from error
    except ExchangeFailed as error:
        raise _error(provider, error.trouble) from error
    if answer is None:
        raise ImageSearchError(f"{provider} answered nothing")
    if _is_quota(message := words_in(answer.fields)):
        raise QuotaExceeded(f"{provider} quota is used up: {message}")
    return answer.fields


def _error(provider: str, trouble: Trouble) -> ImageSearchError:
    said = words_in(trouble.body)
    if trouble.status != 429 and not _is_quota(said):
        return ImageSearchError(f"{provider} {trouble.message.removeprefix('it ')}")
    wait_s = retry_after_in(trouble.headers, datetime.now(UTC))
    return QuotaExceeded(f"{provider} quota is used up{f': {said}' if said else ''}", retry_after_s=wait_s)


def _is_quota(message: str) -> bool:
    return any(words in message.lower() for words in _QUOTA_WORDS)


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
