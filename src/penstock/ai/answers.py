"""How a request to a model ends: an answer or a failure, with every call that was made for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, NoReturn

from penstock.ai.errors import ModelErrorKind
from penstock.ai.request import Output
from penstock.errors import PenstockError


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the provider counts them, each None where it did not tell.

    `input_tokens` are all of the input; `cached_tokens` are those of them that the provider read from its cache.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Try:
    """One real call: who was called, how it failed (None: its answer was taken), how long it took, what it used."""

    provider: str
    model: str
    kind: ModelErrorKind | None
    latency_s: float
    usage: Usage = NO_USAGE


@dataclass(frozen=True, slots=True)
class ModelAnswer(Generic[Output]):
    """What a model answered, and who it was.

    `text` is the answer as it came (for a request with `json`, the JSON value in it), `value` what was read from it in
    the type that was asked for. `offline` is true when no provider was asked. `usage` is that of the call that gave the
    answer; `tries` are all calls, that one last. `finish_reason` is `stop`, `length` (cut off at the limit of tokens)
    or what else the provider said. `limits` are the provider's rate-limit headers, in lower case.
    """

    text: str
    value: Output
    provider: str
    model: str
    offline: bool = False
    usage: Usage = NO_USAGE
    tries: tuple[Try, ...] = ()
    finish_reason: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelFailure:
    """Why there is no answer.

    `retryable` says whether the same request may succeed later, `retry_after_s` (seconds, None when the provider named
    no time) how long to wait before that. `provider` and `model` are those of the last call; both are empty when none
    was made.
    """

    kind: ModelErrorKind
    message: str
    retryable: bool
    retry_after_s: float | None = None
    provider: str = ""
    model: str = ""
    usage: Usage = NO_USAGE
    tries: tuple[Try, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)

    def raise_(self) -> NoReturn:
        """Raise it as `ModelError`."""
        raise ModelError(self)


class ModelError(PenstockError):
    """A model gave no answer: a `ModelFailure` for callers that prefer exceptions."""

    def __init__(self, failure: ModelFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @property
    def kind(self) -> ModelErrorKind:
        """Why."""
        return self.failure.kind

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.failure.retryable

    @property
    def retry_after_s(self) -> float | None:
        """How long to wait before that (seconds), if the provider said."""
        return self.failure.retry_after_s

    def __reduce__(self) -> tuple[type["ModelError"], tuple[ModelFailure]]:
        return type(self), (self.failure,)


def answer_or_raise(outcome: ModelAnswer[Output] | ModelFailure) -> ModelAnswer[Output]:
    """The answer. Raises `ModelError` when it is a failure."""
    if isinstance(outcome, ModelFailure):
        outcome.raise_()
    return outcome
