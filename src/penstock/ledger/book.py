"""`Ledger`: opens a row before each model call and closes it after."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from penstock import codec
from penstock.domain.calls import current_scope
from penstock.ledger.prices import cost_of
from penstock.store.base import Store
from penstock.store.programs.ledger import ClosedCall, OpenCall, close_calls, open_calls

T = TypeVar("T")

Cost = Callable[[str, str, int | None, int | None, int | None], int | None]
"""As `cost_of`."""


class Ledger:
    """Writes the calls of this process. `cost`: what a call costs, for those with prices of their own."""

    def __init__(self, store: Store, cost: Cost = cost_of) -> None:
        self._store = store
        self._cost = cost

    async def open(
        self,
        provider: str,
        model: str,
        *,
        tried: int = 1,
        input_estimate: int | None = None,
        output_estimate: int | None = None,
    ) -> OpenCall:
        """A call about to be made, for the step of the moment (see `calling`). Raises StoreUnavailable."""
        now = self._store.clock.now()
        call = OpenCall(codec.new_id(), current_scope(), provider, model, tried, now, input_estimate, output_estimate)
        await self._store.run(open_calls([call]))
        return call

    async def close(
        self,
        call: OpenCall,
        outcome: str,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
    ) -> ClosedCall:
        """How it has ended: `ok`, the kind of its failure or `cancelled`; tokens as far as they are known.

        Raises StoreUnavailable; the leader then closes it as `unknown`.
        """
        cost = self._cost(call.provider, call.model, input_tokens, output_tokens, cached_tokens)
        closed = ClosedCall(call.id, self._store.clock.now(), outcome, input_tokens, output_tokens, cached_tokens, cost)
        await self._store.run(close_calls([closed]))
        return closed

    async def close_many(self, calls: Sequence[ClosedCall]) -> None:
        """Several at once."""
        await self._store.run(close_calls(calls))
