"""Why an attempt failed, and which cause counts when several things went wrong at once."""

from dataclasses import dataclass
from enum import StrEnum

from penstock.ai import ModelErrorKind


class FailureClass(StrEnum):
    """What a learner and an operator are told."""

    VALIDATION = "validation"
    CAPPED = "capped"
    CONFLICT = "conflict"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    PROVIDER_ERROR = "provider_error"
    UNKNOWN = "unknown"


CANCELLED = "cancelled"
"""Stands where a class would when a person stopped the work."""

_FOR_GOOD = frozenset({FailureClass.VALIDATION, FailureClass.CAPPED, FailureClass.CONFLICT})
_OF_PROVIDER = {
    "provider_error": FailureClass.PROVIDER_ERROR,
    "auth": FailureClass.PROVIDER_ERROR,
    "content_filter": FailureClass.PROVIDER_ERROR,
    "context_too_long": FailureClass.PROVIDER_ERROR,
    "rate_limit": FailureClass.RATE_LIMIT,
    "timeout": FailureClass.TIMEOUT,
    # The chain's own cap of calls for one request: the provider failed before it.
    "capped": FailureClass.PROVIDER_ERROR,
    # A provider refused the request itself (400, 404, 422): one more error of a provider, not of the learner's data.
    "validation": FailureClass.PROVIDER_ERROR,
}
_NO_USE_AGAIN: frozenset[ModelErrorKind] = frozenset({"auth", "content_filter", "context_too_long"})


@dataclass(frozen=True, slots=True)
class Causes:
    """What is known of a failed attempt.

    forced: the class is settled already; timed_out: the deadline has passed; provider: the kind of the provider's
    failure; parser: what reading the answer came to.
    """

    forced: FailureClass | None = None
    timed_out: bool = False
    parser: FailureClass | None = None
    provider: ModelErrorKind | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class, and whether another attempt may help."""

    classification: FailureClass
    retryable: bool


def classify(causes: Causes) -> Verdict:
    """Forced before timed out, before rate limit, before parser, before the provider's kind, before the default."""
    if causes.forced is not None:
        return _usual(causes.forced)
    if causes.timed_out or causes.provider == "timeout":
        return _usual(FailureClass.TIMEOUT)
    if causes.provider == "rate_limit":
        # Also a quota that is spent for good is worth another attempt: it may be refilled, and attempts are bounded.
        return _usual(FailureClass.RATE_LIMIT)
    if causes.parser is not None:
        return _usual(causes.parser)
    if causes.provider is not None:
        found = _OF_PROVIDER.get(causes.provider, FailureClass.UNKNOWN)
        return Verdict(found, causes.provider not in _NO_USE_AGAIN)
    return _usual(FailureClass.UNKNOWN)


def _usual(classification: FailureClass) -> Verdict:
    return Verdict(classification, classification not in _FOR_GOOD)
