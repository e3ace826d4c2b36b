"""What headers say about waiting and about limits."""

from datetime import UTC, datetime

import pytest

from penstock.ai.headers import duration_s, limits_in, retry_after_in

NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
DATE = "Sun, 22 Nov 2026 07:30:20 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": DATE}, 20),
        ({"retry-after": "Sunday, 22-Nov-26 07:30:20 GMT"}, 20),
        ({"retry-after": "Sun Nov 22 07:30:20 2026"}, 20),
        ({"retry-after": "Sun, 22 Nov 2026 07:00:00 GMT"}, 0),
        ({"retry-after": DATE, "Date": "Sun, 22 Nov 2026 07:30:05 GMT"}, 15),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "9999999"}, 86_400),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "12", "x-ratelimit-reset-tokens": "6m0s"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "2s",
            },
            2,
        ),
        (
            {
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-22T07:30:42Z",
            },
            42,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "tomorrow"}, None),
    ],
)
def test_how_long_to_wait_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    found = retry_after_in(headers, NOW)
    assert found is None if seconds is None else found == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("6m0s", 360), ("12ms", 0.012), ("1d2h", 93_600), ("1.5s", 1.5), ("5", None)]
)
def test_durations_are_read_as_openai_and_google_write_them(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


def test_only_headers_of_limits_are_kept_in_lower_case() -> None:
    headers = {
        "X-RateLimit-Remaining-Requests": "9",
        "anthropic-ratelimit-tokens-limit": "50",
        "Retry-After": "1",
        "Set-Cookie": "secret",
    }
    assert limits_in(headers) == {
        "x-ratelimit-remaining-requests": "9",
        "anthropic-ratelimit-tokens-limit": "50",
        "retry-after": "1",
    }
