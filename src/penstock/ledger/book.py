"""`Ledger`: a gate around model calls that opens a row before each and closes it after."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from penstock import codec
from penstock.domain.calls import CallScope, current_scope
from penstock.errors import StoreUnavailable
from penstock.ledger.prices import cost_of
from penstock.ledger.sinks import UsageSink
from penstock.store.base import Store
from penstock.store.programs.ledger import ClosedCall, OpenCall, close_calls, late_answer, open_calls
from penstock.store.programs.sinks import declare_sinks

if TYPE_CHECKING:  # who calls no models does not load them
    from penstock.ai.gate import CallEnd, CallInfo

logger = logging.getLogger(__name__)

Cost = Callable[[str, str, int | None, int | None, int | None], int | None]
"""As `cost_of`."""
_CHARACTERS_A_TOKEN = 4
"""An estimate before the call; the provider's own count replaces it after."""


class Ledger:
    """Writes the calls of this process. `cost`: what a call costs, for those with prices of their own.

    `sinks`: who else is told what calls used. Give it to a `ModelChain` as its gate: then each real call is in the
    ledger, for the step of the moment.
    """

    def __init__(self, store: Store, cost: Cost = cost_of, sinks: Sequence[UsageSink] = ()) -> None:
        self._store = store
        self._cost = cost
        self.sinks = tuple(sinks)
        self._undeclared = [sink.name for sink in sinks]
        self._late: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def call(self, info: "CallInfo") -> AsyncIterator["_Noted"]:
        """The gate: a row is there before the call is made. Raises StoreUnavailable, and then nothing is called."""
        asked = len(info.request.instructions) + len(info.request.prompt_text)
        opened = await self.open(
            info.provider, info.model, scope=info.scope, tried=info.number,
            input_estimate=asked // _CHARACTERS_A_TOKEN,
            output_estimate=info.request.max_output_tokens,
        )  # fmt: skip
        noted = _Noted(self, opened)
        try:
            yield noted
        finally:
            # Also when the run is being cancelled: what the call has cost is a fact.
            await asyncio.shield(noted.close())

    async def open(
        self,
        provider: str,
        model: str,
        *,
        scope: CallScope | None = None,
        tried: int = 1,
        input_estimate: int | None = None,
        output_estimate: int | None = None,
    ) -> OpenCall:
        """A call about to be made, for `scope` or the step of the moment. Raises StoreUnavailable."""
        call = OpenCall(
            codec.new_id(), scope or current_scope(), provider, model, tried, self._store.clock.now(), input_estimate,
            output_estimate,
        )  # fmt: skip
        await self.declare_sinks()
        await self._store.run(open_calls([call]))
        return call

    async def declare_sinks(self) -> None:
        """From now on its sinks are owed what calls use, also those of other processes. Raises StoreUnavailable."""
        if self._undeclared:
            await self._store.run(declare_sinks(self._undeclared, self._store.clock.now()))
            self._undeclared = []

    async def close(
        self,
        call: OpenCall,
        outcome: str,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
    ) -> ClosedCall:
        """How it has ended: `answered`, the kind of its failure or `cancelled`; tokens as far as they are known.

        While the store is away it stays open; the leader closes it as `unknown`.
        """
        closed = self._closed(call, outcome, input_tokens, output_tokens, cached_tokens)
        try:
            await self._store.run(close_calls([closed]))
        except StoreUnavailable as error:
            logger.warning("model call %s could not be closed in the ledger: %s", call.id, error)
        return closed

    def answered_late(self, call: OpenCall, end: "CallEnd") -> None:
        """What a call used that nobody waited for any more."""
        used = end.usage
        closed = self._closed(call, end.outcome, used.input_tokens, used.output_tokens, used.cached_tokens)
        task = asyncio.get_running_loop().create_task(self._write_late(closed), name="penstock-ledger")
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _write_late(self, closed: ClosedCall) -> None:
        try:
            await self._store.run(late_answer(closed))
        except StoreUnavailable as error:
            logger.warning("what model call %s used could not be written: %s", closed.id, error)

    def _closed(
        self, call: OpenCall, outcome: str, sent: int | None, answered: int | None, cached: int | None
    ) -> ClosedCall:
        cost = self._cost(call.provider, call.model, sent, answered, cached)
        return ClosedCall(call.id, self._store.clock.now(), outcome, sent, answered, cached, cost)


class _Noted:
    """One call that was let through."""

    def __init__(self, ledger: Ledger, opened: OpenCall) -> None:
        self._ledger = ledger
        self._opened = opened
        self._end: CallEnd | None = None
        self._closed = False

    def settled(self, end: "CallEnd") -> None:
        """See `GatedCall`."""
        if self._closed:
            self._ledger.answered_late(self._opened, end)
        else:
            self._end = end

    async def close(self) -> None:
        """Write how it ended."""
        self._closed = True
        end = self._end
        if end is None:  # something was raised before anybody could tell
            await self._ledger.close(self._opened, "unknown")
            return
        used = end.usage
        await self._ledger.close(
            self._opened, end.outcome, input_tokens=used.input_tokens, output_tokens=used.output_tokens,
            cached_tokens=used.cached_tokens,
        )  # fmt: skip
