"""Anthropic's wire."""

from anthropic import AsyncAnthropic
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from penstock.ai.vendors.wire import WireProvider, http_client

_BASE_URL = "https://api.anthropic.com"


def provider(name: str, model: str, api_key: str | None, base_url: str | None) -> WireProvider:
    """A provider of that name."""
    client = http_client()
    sdk = AsyncAnthropic(api_key=api_key or "none", base_url=base_url or _BASE_URL, http_client=client, max_retries=0)
    return WireProvider(name, AnthropicModel(model, provider=AnthropicProvider(anthropic_client=sdk)), client, api_key)
