"""What a model call can end with instead of an answer."""

from typing import Literal

from penstock.errors import PenstockError

ModelErrorKind = Literal[
    "validation",
    "provider_error",
    "rate_limit",
    "timeout",
    "capped",
    "content_filter",
    "context_too_long",
    "auth",
    "unknown",
]


class ModelError(PenstockError):
    """A model call failed.

    `kind` says why, `retryable` whether the same request may succeed later, and `retry_after_s` (seconds, or None when
    the provider named no time) how long to wait before that.
    """

    def __init__(
        self, message: str, *, kind: ModelErrorKind, retryable: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind: ModelErrorKind = kind
        self.retryable = retryable
        self.retry_after_s = retry_after_s
