"""The port through which everything reaches a language model."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model.

    `instructions` is the system message, `prompt` the user message. `json` asks for an answer that is one JSON value.
    `temperature`, `max_output_tokens` and `timeout_s` (seconds) are left to the provider when None.
    """

    instructions: str
    prompt: str
    json: bool = False
    temperature: float | None = None
    max_output_tokens: int | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model answered, and who it was.

    `offline` is true when no provider was asked. Token counts are the provider's own, or None when it gave none.
    """

    text: str
    provider: str
    model: str
    offline: bool
    input_tokens: int | None = None
    output_tokens: int | None = None


class LanguageModel(Protocol):
    """Anything that answers a request: a provider, a chain of them, or the offline model."""

    async def generate(self, request: ModelRequest) -> ModelAnswer:
        """Answer `request`. Raises `ModelError` when there is no answer."""
        ...
