"""`Ledger`: the gate around model calls. It keeps limits and budgets, opens a row before each call, closes it after."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from penstock import codec
from penstock.domain.budgets import OUTPUT_TOKENS, Most, Rule
from penstock.domain.calls import CallScope, current_caller, current_scope
from penstock.domain.limits import ModelLimit, Rates
from penstock.domain.options import moment_of
from penstock.ledger.desk import CallDesk
from penstock.ledger.pressure import Pressure
from penstock.ledger.prices import Cost, cost_of
from penstock.ledger.sinks import UsageSink
from penstock.store.base import Store
from penstock.store.programs.budgets import declare_budgets
from penstock.store.programs.call_facts import NOTHING, ClosedCall, End, OpenCall, Reserved, Told
from penstock.store.programs.sinks import declare_sinks

if TYPE_CHECKING:  # who calls no models does not load them
    from penstock.ai.gate import CallEnd, CallInfo

_CHARACTERS_A_TOKEN = 4
"""An estimate before the call; the provider's own count replaces it after."""


class Opened(NamedTuple):
    """A call that was let through, and what it has reserved at its limits and of its budgets."""

    call: OpenCall
    reserved: Reserved

    @property
    def id(self) -> str:
        """Of its row."""
        return self.call.id


class Ledger:
    """Lets the calls of this process through, and writes them. Give it to a `ModelChain` as its gate.

    limits: what providers allow, kept by all processes together; budgets: what calls may cost, likewise; cost: what a
    call costs, for those with prices of their own; sinks: who else is told what calls used. `pressure` says what waits.
    """

    def __init__(
        self,
        store: Store,
        cost: Cost = cost_of,
        *,
        limits: Sequence[ModelLimit] = (),
        budgets: Sequence[Rule] = (),
        sinks: Sequence[UsageSink] = (),
    ) -> None:
        self._store = store
        self.cost = cost
        self.sinks = tuple(sinks)
        self._budgets = tuple(budgets)
        self._is_declared = not (sinks or budgets)
        self.pressure = Pressure()
        self._desk = CallDesk(store, limits, self.pressure)
        self._late: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def call(self, info: "CallInfo") -> AsyncIterator["_Noted"]:
        """The gate: waits for its limits and budgets; then a row is there before the call is made.

        A call of a job that has to wait past a moment, or for a budget that is spent, gives its slot back: raises
        Suspended, which ends the run without an attempt. Outside of jobs a spent budget raises OutOfBudget. Raises
        NoPrice, and StoreUnavailable; nothing is called then.
        """
        asked = len(info.request.instructions) + len(info.request.prompt_text)
        opened = await self.open(
            info.provider, info.model, scope=info.scope, tried=info.number, account=info.account,
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
        account: str = "",
        input_estimate: int | None = None,
        output_estimate: int | None = None,
    ) -> Opened:
        """A call about to be made, for `scope` or the step of the moment. Raises as `call`."""
        call = OpenCall(
            codec.new_id(), scope or current_scope(), provider, model, tried, input_estimate, output_estimate, account,
            self._most(provider, model, input_estimate or 0, output_estimate),
        )  # fmt: skip
        await self.declare()
        return Opened(call, await self._desk.open(call, current_caller()))

    def _most(self, provider: str, model: str, sent: int, answered: int | None) -> Most:
        """What a call may come to: its input as estimated, its answer as long as it may be."""
        answered = OUTPUT_TOKENS if answered is None else answered
        return Most(sent + answered, self.cost(provider, model, sent, answered, None))

    async def declare(self) -> None:
        """From now on its budgets hold, and its sinks are owed what calls use, also those of other processes.

        Raises StoreUnavailable.
        """
        if self._is_declared:
            return
        now = self._store.clock.now()
        await self._store.run(declare_sinks([sink.name for sink in self.sinks], now))
        await self._store.run(declare_budgets(self._budgets, now))
        self._is_declared = True

    async def close(
        self,
        opened: Opened,
        outcome: str,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
        told: Told = NOTHING,
        late: bool = False,
    ) -> ClosedCall:
        """How it has ended: `answered`, the kind of its failure or `cancelled`; tokens as far as they are known.

        told: what the provider said of its limits. late: it had been closed, and only what it used is new. While the
        store is away it stays open; the leader closes it as `unknown`.
        """
        cost = self.cost(opened.call.provider, opened.call.model, input_tokens, output_tokens, cached_tokens)
        now = self._store.clock.now()
        closed = ClosedCall(opened.id, now, outcome, input_tokens, output_tokens, cached_tokens, cost)
        await self._desk.close(End(opened.call, closed, opened.reserved, told, late))
        return closed

    async def close_as(self, opened: Opened, end: "CallEnd") -> None:
        """Close a call as its gate was told."""
        used, now = end.usage, self._store.clock.now()
        pause_us = int(end.pause_s(moment_of(now)) * 1_000_000)
        told = Told(Rates(**end.rates), now + pause_us if pause_us else 0)
        await self.close(
            opened, end.outcome, input_tokens=used.input_tokens, output_tokens=used.output_tokens,
            cached_tokens=used.cached_tokens, told=told, late=end.late,
        )  # fmt: skip

    def answered_late(self, opened: Opened, end: "CallEnd") -> None:
        """What a call used that nobody waited for any more."""
        task = asyncio.get_running_loop().create_task(self.close_as(opened, end), name="penstock-ledger")
        self._late.add(task)
        task.add_done_callback(self._late.discard)


class _Noted:
    """One call that was let through."""

    def __init__(self, ledger: Ledger, opened: Opened) -> None:
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
        if self._end is None:  # something was raised before anybody could tell
            await self._ledger.close(self._opened, "unknown")
        else:
            await self._ledger.close_as(self._opened, self._end)
