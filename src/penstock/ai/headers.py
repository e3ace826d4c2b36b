"""What the headers of a provider's answer say about its limits."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 86_400.0
"""No provider is waited for longer than a day because of one header."""

_PREFIXES = ("x-ratelimit-", "ratelimit", "anthropic-ratelimit-", "retry-after")
_UNITS_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
# OpenAI and those who speak its wire: a remainder beside a duration. Anthropic: a remainder beside a moment.
_RESETS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)
_RATES = {
    "x-ratelimit-limit-requests": "requests",
    "anthropic-ratelimit-requests-limit": "requests",
    "anthropic-ratelimit-input-tokens-limit": "input_tokens",
    "anthropic-ratelimit-output-tokens-limit": "output_tokens",
}


def rates_in(limits: Mapping[str, str]) -> dict[str, int]:
    """The rates a minute that a provider tells (headers in lower case): `requests`, `input_tokens`, `output_tokens`.

    Some tell a rate of another period under the same name; a rate is therefore only to be taken where it is lower than
    what one knows.
    """
    told = ((rate, _number(limits.get(header))) for header, rate in _RATES.items())
    return {rate: int(number) for rate, number in told if number is not None and number >= 1}


def limits_in(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that tell of rate limits, with names in lower case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lower.items() if name.startswith(_PREFIXES)}


def retry_after_in(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long to wait before asking again (seconds, at most a day); None when the headers do not say.

    `retry-after-ms` and `Retry-After` (seconds or an HTTP date, read against the answer's own `Date` if it has one)
    count first; else the longest reset of a limit of which nothing is left.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    told = _milliseconds(lower.get("retry-after-ms"))
    if told is None:
        told = _retry_after(lower.get("retry-after"), _moment(lower.get("date")) or now)
    if told is None:
        resets = [_until(lower.get(reset), now) for left, reset in _RESETS if lower.get(left) == "0"]
        told = max((reset for reset in resets if reset is not None), default=None)
    return None if told is None else min(max(told, 0.0), LONGEST_S)


def duration_s(text: str) -> float | None:
    """A duration as `1s`, `6m0s`, `12ms` or `1d2h`, in seconds; None when it is none."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PIECE.findall(text))


def _milliseconds(text: str | None) -> float | None:
    seconds = _number(text)
    return None if seconds is None else seconds / 1_000


def _retry_after(text: str | None, now: datetime) -> float | None:
    if (seconds := _number(text)) is not None:
        return seconds
    moment = _moment(text)
    return None if moment is None else (moment - now).total_seconds()


def _until(text: str | None, now: datetime) -> float | None:
    """A reset: seconds, a duration, or a moment as RFC 3339 writes it."""
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        seconds = duration_s(text)
    if seconds is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def _number(text: str | None) -> float | None:
    # Not float(): it also reads nan, inf and 1_0.
    return float(text) if text is not None and re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text) else None


def _moment(text: str | None) -> datetime | None:
    """An HTTP date; one without a zone is UTC."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
