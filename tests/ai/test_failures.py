"""The table of failures, row by row."""

from datetime import UTC, datetime

import pytest

from penstock.ai.failures import BY_NAME, BY_STATUS, Trouble, Verdict, failure_of, verdict_on

NOW = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)


def kind_of(**known: object) -> tuple[str, bool]:
    return tuple(verdict_on(Trouble(**{"message": "it failed", **known})))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(("name", "verdict"), BY_NAME.items())
def test_a_name_settles_it_whatever_the_status(name: str, verdict: Verdict) -> None:
    for status in (None, 400, 403, 429, 500):
        assert kind_of(status=status, names=(name.upper(), "invalid_request_error")) == verdict


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, "validation", False),
        (401, "auth", False),
        (402, "auth", False),
        (403, "auth", False),
        (404, "validation", False),
        (408, "timeout", True),
        (409, "provider_error", True),
        (413, "context_too_long", False),
        (422, "validation", False),
        (425, "provider_error", True),
        (429, "rate_limit", True),
        (499, "validation", False),
        (500, "provider_error", True),
        (502, "provider_error", True),
        (503, "provider_error", True),
        (504, "provider_error", True),
        (529, "provider_error", True),
        (302, "unknown", True),
        (None, "unknown", True),
    ],
)
def test_a_status_settles_it_when_nothing_else_is_said(status: int | None, kind: str, retryable: bool) -> None:
    assert kind_of(status=status) == (kind, retryable)
    assert kind_of(status=status, names=("invalid_request_error", "something_new")) == (kind, retryable)


def test_every_status_of_the_table_is_tested() -> None:
    assert set(BY_STATUS) <= {401, 402, 403, 408, 409, 413, 425, 429}


@pytest.mark.parametrize(
    ("message", "status", "kind"),
    [
        ("This model's maximum context length is 8192 tokens, you sent 9000", 400, "context_too_long"),
        ("prompt is too long: 210000 tokens > 200000 maximum", 400, "context_too_long"),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed", 400, "context_too_long"),
        ("Please reduce the length of the messages or completion.", 400, "context_too_long"),
        ("Request too large for gpt-4o on tokens per min (TPM): Limit 10000, Requested 12000", 429, "context_too_long"),
        ("Your credit balance is too low to access the API", 400, "auth"),
        ("Gemini API free tier is not available in your country. Please enable billing", 400, "auth"),
        ("API key not valid. Please pass a valid API key.", 400, "auth"),
        ("The response was filtered due to Azure OpenAI's content management policy", 400, "content_filter"),
        ("Your request was rejected as a result of our safety system", 400, "content_filter"),
    ],
)
def test_some_refusals_are_only_in_words(message: str, status: int, kind: str) -> None:
    assert kind_of(message=message, status=status, names=("invalid_request_error",)) == (kind, False)


def test_words_of_a_broken_server_or_answer_are_not_read_as_refusals() -> None:
    assert kind_of(message="Expected JSON, got 'a context window …'", broken="answer") == ("provider_error", True)
    assert kind_of(message="the context window service is down", status=503) == ("provider_error", True)


@pytest.mark.parametrize(
    ("broken", "kind"), [("time", "timeout"), ("way", "provider_error"), ("answer", "provider_error")]
)
def test_a_broken_way_and_an_unreadable_answer_may_be_tried_again(broken: str, kind: str) -> None:
    assert kind_of(broken=broken) == (kind, True)


def test_a_name_in_an_unreadable_answer_counts_more() -> None:
    assert kind_of(broken="answer", names=("context_length_exceeded",)) == ("context_too_long", False)


@pytest.mark.parametrize("metadata", [{"flagged_input": "…"}, {"reasons": ["violence"]}])
def test_flagged_input_behind_a_gateway_is_filtered_not_forbidden(metadata: dict[str, object]) -> None:
    assert kind_of(status=403, body={"error": {"metadata": metadata}}) == ("content_filter", False)
    assert kind_of(status=403, body={"metadata": metadata}) == ("content_filter", False)


def test_a_failure_carries_who_why_and_how_long() -> None:
    trouble = Trouble("slow down", status=429, headers={"Retry-After": "7", "X-RateLimit-Limit-Requests": "60"})
    failure = failure_of(trouble, provider="openai", model="gpt", now=NOW)
    assert (failure.kind, failure.retryable, failure.retry_after_s) == ("rate_limit", True, 7)
    assert (failure.provider, failure.model, failure.message) == ("openai", "gpt", "openai (gpt): slow down")
    assert failure.limits == {"retry-after": "7", "x-ratelimit-limit-requests": "60"}


def test_google_says_in_the_body_how_long_to_wait_and_headers_count_more() -> None:
    body = {"error": {"details": [{"reason": "RATE"}, {"retryDelay": "14.5s"}]}}
    trouble = Trouble("slow down", status=429, body=body)
    assert failure_of(trouble, provider="google", model="g", now=NOW).retry_after_s == 14.5
    trouble = Trouble("slow down", status=429, body=body, headers={"retry-after": "2"})
    assert failure_of(trouble, provider="google", model="g", now=NOW).retry_after_s == 2
