"""How long a server asks to be left alone."""

import email.utils
from datetime import UTC, datetime

import httpx2


def retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds named by Retry-After, which is a number or a date (RFC 9110, section 10.2.3); None without one."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
