"""Google's wire (the Gemini API)."""

from google.genai.types import HttpRetryOptions
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from penstock.ai.vendors.wire import WireProvider, http_client

_BASE_URL = "https://generativelanguage.googleapis.com"


def provider(name: str, model: str, api_key: str | None, base_url: str | None) -> WireProvider:
    """A provider of that name."""
    client = http_client()
    google = GoogleProvider(
        api_key=api_key or "none",
        base_url=base_url or _BASE_URL,
        http_client=client,
        # One attempt: the library's own retries, also those it makes unasked, are off.
        retry_options=HttpRetryOptions(attempts=1),
    )
    return WireProvider(name, GoogleModel(model, provider=google), client, api_key)
