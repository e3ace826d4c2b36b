"""Why a model call fails."""

from typing import Final, Literal, get_args

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
"""validation: the request is wrong, or the answer does not fit the output that was asked for. provider_error: the
provider or the way to it failed, or its answer cannot be read. rate_limit: too much was asked of it. timeout: the time
was over. capped: no try was left. content_filter: the provider refused the content. context_too_long: the request is
longer than the model reads. auth: the key, its rights or the account's credit. unknown: anything else."""

KINDS: Final[frozenset[ModelErrorKind]] = frozenset(get_args(ModelErrorKind))
