"""The table: which kind of failure every error of a provider is, and whether asking again may help.

OpenAI and those who speak its wire name errors by `code` and `type`, Anthropic by `type`, Google by a status in
capitals and a `reason`. The same trouble often comes under several HTTP statuses, and different troubles under one; so
words go before numbers, and among words the narrow before the wide.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple

from penstock.ai.answers import NO_USAGE, ModelFailure, Usage
from penstock.ai.errors import ModelErrorKind
from penstock.ai.headers import duration_s, limits_in, retry_after_in


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is known of a call that failed.

    `status` is the HTTP status, None when there was none that says so; `names` are the provider's code, type, status or
    reason; `broken` says what failed besides the provider's own words: it did not answer in time, the way to it broke,
    or what came cannot be read. `body` is the decoded answer.
    """

    message: str
    status: int | None = None
    names: tuple[str, ...] = ()
    broken: Literal["time", "way", "answer"] | None = None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Verdict(NamedTuple):
    """What a trouble is."""

    kind: ModelErrorKind
    retryable: bool


FILTERED: Final = Verdict("content_filter", retryable=False)
TOO_LONG: Final = Verdict("context_too_long", retryable=False)
REFUSED: Final = Verdict("auth", retryable=False)
LIMITED: Final = Verdict("rate_limit", retryable=True)
LATE: Final = Verdict("timeout", retryable=True)
DOWN: Final = Verdict("provider_error", retryable=True)
WRONG: Final = Verdict("validation", retryable=False)
UNKNOWN: Final = Verdict("unknown", retryable=True)

BY_NAME: Final[Mapping[str, Verdict]] = {
    # The provider will not speak about this.
    "content_filter": FILTERED,
    "content_policy_violation": FILTERED,
    "responsibleaipolicyviolation": FILTERED,
    "invalid_prompt": FILTERED,
    "moderation_blocked": FILTERED,
    "safety": FILTERED,
    "prohibited_content": FILTERED,
    # More than the model reads.
    "context_length_exceeded": TOO_LONG,
    "string_above_max_length": TOO_LONG,
    "request_too_large": TOO_LONG,
    # The key, its rights, or the account's credit: a person must act.
    "invalid_api_key": REFUSED,
    "api_key_invalid": REFUSED,
    "authentication_error": REFUSED,
    "permission_error": REFUSED,
    "unauthenticated": REFUSED,
    "permission_denied": REFUSED,
    "account_deactivated": REFUSED,
    "invalid_organization": REFUSED,
    "mismatched_organization": REFUSED,
    "unsupported_country_region_territory": REFUSED,
    "insufficient_quota": REFUSED,
    "exceeded_current_quota_error": REFUSED,
    "billing_hard_limit_reached": REFUSED,
    "billing_not_active": REFUSED,
    "billing_error": REFUSED,
    "credit_balance_exhausted": REFUSED,
    "organization_spend_limit_exceeded": REFUSED,
    "organization_usage_limit_exceeded": REFUSED,
    "project_spend_limit_exceeded": REFUSED,
    # Too much at once.
    "rate_limit_exceeded": LIMITED,
    "rate_limit_error": LIMITED,
    "rate_limit_reached_error": LIMITED,
    "too_many_requests": LIMITED,
    "resource_exhausted": LIMITED,
    # The provider gave up waiting for itself.
    "timeout_error": DOWN,
    "deadline_exceeded": DOWN,
    # The provider is unwell.
    "server_error": DOWN,
    "api_error": DOWN,
    "internal_server_error": DOWN,
    "internal": DOWN,
    "overloaded_error": DOWN,
    "overloaded": DOWN,
    "server_is_overloaded": DOWN,
    "unavailable": DOWN,
    "service_unavailable": DOWN,
    "service_unavailable_error": DOWN,
    "engine_overloaded": DOWN,
    "slow_down": DOWN,
    # The request itself.
    "model_not_found": WRONG,
    "not_found_error": WRONG,
    "not_found": WRONG,
    "failed_precondition": WRONG,
}
"""Names that settle it, in lower case. Wide ones (`invalid_request_error`, `INVALID_ARGUMENT`) settle nothing."""

BY_MESSAGE: Final[tuple[tuple[re.Pattern[str], Verdict], ...]] = (
    (
        re.compile(
            r"maximum context length|context window|prompt is too long|input is too long|reduce the length of the"
            r" messages|input token count|number of tokens allowed|input tokens exceed|request too large for",
            re.IGNORECASE,
        ),
        TOO_LONG,
    ),
    (re.compile(r"credit balance is too low|enable billing|insufficient (balance|credits)", re.IGNORECASE), REFUSED),
    (re.compile(r"api key not valid|invalid api key", re.IGNORECASE), REFUSED),
    (re.compile(r"content management policy|flagged (as|for|by)|safety system", re.IGNORECASE), FILTERED),
)
"""What providers say in words only."""

BY_STATUS: Final[Mapping[int, Verdict]] = {
    401: REFUSED,
    402: REFUSED,
    403: REFUSED,
    408: LATE,
    409: DOWN,
    413: TOO_LONG,
    425: DOWN,
    429: LIMITED,
}
"""HTTP statuses when nothing was said; other 4xx are `validation`, 5xx `provider_error`."""


def verdict_on(trouble: Trouble) -> Verdict:
    """Which row of the table it is."""
    if trouble.broken in ("time", "way"):
        return LATE if trouble.broken == "time" else DOWN
    if trouble.status is not None and 400 <= trouble.status < 500:
        # Only refusals are in the provider's own words; other messages may quote what a model wrote.
        for pattern, verdict in BY_MESSAGE:
            if pattern.search(trouble.message):
                return verdict
    if _is_moderated(trouble.body):
        return FILTERED
    for name in trouble.names:
        if (verdict_ := BY_NAME.get(name.lower())) is not None:
            return verdict_
    return DOWN if trouble.broken == "answer" else _by_status(trouble.status)


def failure_of(trouble: Trouble, *, provider: str, model: str, now: datetime, usage: Usage = NO_USAGE) -> ModelFailure:
    """The failure that a trouble is, with how long to wait as far as the provider said."""
    kind, retryable = verdict_on(trouble)
    after = retry_after_in(trouble.headers, now)
    return ModelFailure(
        kind=kind,
        message=f"{provider} ({model}): {trouble.message}",
        retryable=retryable,
        retry_after_s=_retry_delay(trouble.body) if after is None else after,
        provider=provider,
        model=model,
        usage=usage,
        limits=limits_in(trouble.headers),
    )


def _by_status(status: int | None) -> Verdict:
    if status is None:
        return UNKNOWN
    if status in BY_STATUS:
        return BY_STATUS[status]
    if 400 <= status < 500:
        return WRONG
    return DOWN if 500 <= status < 600 else UNKNOWN


def _is_moderated(body: object) -> bool:
    """Whether a gateway says that the input was flagged: OpenRouter does under 403, with the reasons in `metadata`."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    metadata = error.get("metadata") if isinstance(error, Mapping) else None
    return isinstance(metadata, Mapping) and ("flagged_input" in metadata or "reasons" in metadata)


def _retry_delay(body: object) -> float | None:
    """Google says in the body how long to wait: `{"error": {"details": [{"retryDelay": "14s"}]}}`."""
    error = body.get("error") if isinstance(body, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else []:
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str):
            return duration_s(delay)
    return None
