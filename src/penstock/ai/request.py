"""What is asked of a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import TypeAdapter
from typing_extensions import TypeVar

Output = TypeVar("Output", default=str)


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image or a document in a prompt. `media_type` is its MIME type, as `image/png` or `application/pdf`."""

    data: bytes
    media_type: str


Part = str | Attachment


@dataclass(frozen=True, slots=True)
class ModelRequest(Generic[Output]):
    """One question to a model.

    `instructions` is the system message, `prompt` the user message: a text, or texts and attachments in order. `output`
    is the type of the answer's value: a pydantic model, any type pydantic reads, or a TypeAdapter; None for text.
    `json` asks for text that is one JSON value. `temperature`, `max_output_tokens` and `timeout_s` (seconds, for one
    call of a provider) are left to the provider when None. Raises ValueError naming the field that is wrong.
    """

    instructions: str
    prompt: str | Sequence[Part]
    output: type[Output] | TypeAdapter[Output] | None = None
    json: bool = False
    temperature: float | None = None
    max_output_tokens: int | None = None
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        if self.max_output_tokens is not None and self.max_output_tokens < 1:
            raise ValueError(f"max_output_tokens: must be at least 1, not {self.max_output_tokens!r}")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"timeout_s: must be more than 0 seconds, not {self.timeout_s!r}")
        if self.json and self.output is not None:
            raise ValueError("json: an output type already means JSON; give one of the two")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The prompt as parts."""
        return (self.prompt,) if isinstance(self.prompt, str) else tuple(self.prompt)

    @property
    def prompt_text(self) -> str:
        """The texts of the prompt, attachments left out."""
        return self.prompt if isinstance(self.prompt, str) else "\n".join(p for p in self.prompt if isinstance(p, str))


AnyRequest = ModelRequest[Any]
