"""Errors as OpenAI says them."""

import json

_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
"""Which OpenAI gives for a status, unless another is scripted."""

_ERRORS = {
    "content_filter": ("invalid_request_error", "prompt", "The prompt was stopped by the content filter."),
    "context_length_exceeded": (
        "invalid_request_error", "messages", "This model's maximum context length is 8192 tokens; you sent more."
    ),
    "insufficient_quota": ("insufficient_quota", None, "You exceeded your current quota; check your plan."),
    "invalid_api_key": ("invalid_request_error", None, "Incorrect API key provided."),
    "model_not_found": ("invalid_request_error", "model", "This model does not exist, or is not for you."),
    "rate_limit_exceeded": ("requests", None, "Rate limit reached for requests; try again later."),
}  # fmt: skip
"""Type, parameter and message of errors that have a code."""


def error_body(message: str, type_: str | None, *, param: str | None = None, code: str | None = None) -> bytes:
    """The body of an error, in OpenAI's form."""
    return json.dumps({"error": {"message": message, "type": type_, "param": param, "code": code}}).encode()


def openai_error(status: int, code: str | None) -> bytes:
    """What OpenAI says with a status and a code, or the code that is usual for the status."""
    code = code or _CODES.get(status)
    general = "invalid_request_error" if status < 500 else "server_error"
    type_, param, message = _ERRORS.get(code or "", (general, None, "The request could not be answered."))
    return error_body(message, type_, param=param, code=code)
