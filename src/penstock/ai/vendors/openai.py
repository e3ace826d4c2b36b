"""OpenAI, and whoever speaks its wire (`POST {base_url}/chat/completions`)."""

from openai import AsyncOpenAI
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from penstock.ai.vendors.whole_answers import as_stream, ask_plainly
from penstock.ai.vendors.wire import WireProvider, http_client

NAME = "openai"
_BASE_URL = "https://api.openai.com/v1"
# The name for the limit that all of them understand; only OpenAI's own newer models insist on another.
_COMPATIBLE = OpenAIModelProfile(openai_chat_supports_max_completion_tokens=False)


def provider(name: str, model: str, api_key: str | None, base_url: str | None) -> WireProvider:
    """A provider of that name."""
    client = http_client()
    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks["request"], ask_plainly],
        "response": [*hooks["response"], as_stream],
    }
    sdk = AsyncOpenAI(
        api_key=api_key or "none",
        base_url=base_url or _BASE_URL,
        http_client=client,
        max_retries=0,
    )
    if name == NAME:
        return WireProvider(name, OpenAIChatModel(model, provider=OpenAIProvider(openai_client=sdk)), client, api_key)
    compatible = OpenAICompatibleProvider(name, openai_client=sdk, profile=_COMPATIBLE)
    return WireProvider(name, OpenAIChatModel(model, provider=compatible), client, api_key)
