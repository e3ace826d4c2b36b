"""What went wrong in a call, read from the errors of pydantic-ai."""

from collections.abc import Iterator
from typing import Any

from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)

from penstock.ai.failures import Trouble

CALL_ERRORS = (ModelAPIError, UnexpectedModelBehavior, UserError, NotImplementedError)
"""Those that say how a call failed; anything else is a fault of the code."""

_MOST_CHARS = 500


def trouble_of(error: Exception) -> Trouble:
    """What is known of the failure, for the table."""
    if isinstance(error, ModelHTTPError):
        return Trouble(
            _message(error),
            status=error.status_code,
            names=tuple(_names(error)),
            body=error.body,
            headers=dict(error.headers or {}),
        )
    if isinstance(error, ModelConnectionError):
        # Not having reached the provider is trouble with the way to it, however it was noticed.
        is_late = isinstance(error, ModelTimeoutError) and error.phase not in ("connect", "pool")
        return Trouble(_message(error), broken="time" if is_late else "way")
    if isinstance(error, ModelAPIError):
        return Trouble(_message(error), names=tuple(_names(error)), broken="answer", body=error.body)
    if isinstance(error, ContentFilterError):
        return Trouble(_cut(str(error)), names=("content_filter",))
    if isinstance(error, UnexpectedModelBehavior):
        return Trouble(_cut(error.message), broken="answer")
    # The library refuses what this model cannot be asked.
    return Trouble(_cut(str(error)), status=400)


def _message(error: ModelAPIError) -> str:
    """The provider's own words, where it has any; else those of the library."""
    body = _inner(error.body)
    said = body.get("message") if body else None
    text = said if isinstance(said, str) and said.strip() else error.message
    status = f"HTTP {error.status_code}: " if isinstance(error, ModelHTTPError) else ""
    return status + _cut(text)


def _names(error: ModelAPIError) -> Iterator[str]:
    """Code, type and reasons, from the narrow to the wide."""
    body = _inner(error.body)
    details = body.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and isinstance(detail.get("reason"), str):
            yield detail["reason"]
    inner = body.get("innererror")
    if isinstance(inner, dict) and isinstance(inner.get("code"), str):
        yield inner["code"]
    for name in (error.provider_error_code, error.provider_error_type):
        if name:
            yield name


def _inner(body: object) -> dict[str, Any]:
    """The object that tells of the error: wrapped in `error`, or the body itself."""
    if not isinstance(body, dict):
        return {}
    inner = body.get("error", body)
    return inner if isinstance(inner, dict) else body


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"
