"""The ports of model access: a provider below, what applications ask above."""

from collections.abc import Callable
from typing import Any, Protocol

from penstock.ai.answers import ModelAnswer, ModelFailure, Usage
from penstock.ai.deadline import AdaptiveTimeout
from penstock.ai.gate import CallInfo
from penstock.ai.policy import CallPolicy
from penstock.ai.request import ModelRequest, Output

OnText = Callable[[str], None]
OnUsage = Callable[[Usage], None]
OnCall = Callable[[CallInfo], None]


class Provider(Protocol):
    """One model of one provider.

    `name` says which provider it is, `account` which of its keys is used without giving it away (empty: none), and
    `offline` that no provider is asked.
    """

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def offline(self) -> bool: ...

    async def call(
        self, request: ModelRequest[Any], *, on_text: OnText | None = None, on_usage: OnUsage | None = None
    ) -> ModelAnswer[str] | ModelFailure:
        """Make one real call, and no second one; the answer's value is its text.

        With `on_text` the answer is streamed: each piece is told as it comes. `on_usage` is told what is known of the
        tokens as soon as it is known, for calls that do not end. Raises nothing but what the two raise; cancellation
        passes through, and closes the connection.
        """
        ...

    async def close(self) -> None:
        """Close its connections, if it has any."""
        ...


class LanguageModel(Protocol):
    """What applications ask: a chain of providers."""

    async def ask(
        self,
        request: ModelRequest[Output],
        *,
        policy: CallPolicy | None = None,
        deadline: AdaptiveTimeout | None = None,
        on_text: OnText | None = None,
        on_call: OnCall | None = None,
    ) -> ModelAnswer[Output] | ModelFailure:
        """See `ModelChain.ask`."""
        ...
