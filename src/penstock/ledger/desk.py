"""The desk at which calls are let through and closed: those of concurrent tasks in one transaction after another."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from penstock.domain.admission import Held
from penstock.domain.calls import Caller
from penstock.domain.limits import ModelLimit
from penstock.domain.spending import BudgetHold, Unpriced
from penstock.errors import NoPrice, OutOfBudget, StoreUnavailable
from penstock.ledger.pressure import Pressure, Waiting
from penstock.store.base import Store
from penstock.store.programs.call_facts import Ask, End, OpenCall, Reserved, Verdict, Withdrawn
from penstock.store.programs.calls import pass_calls
from penstock.store.programs.purses import make_windows

logger = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""A call of a job waits so long in its slot; one that is expected later gives the slot back at once."""
_MOST = 500


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that asks. `held`: why it had to wait so far; `far`: done when it is expected later than is waited for."""

    call: OpenCall
    answer: "asyncio.Future[Verdict]"
    far: "asyncio.Future[None]"
    held: Held | None = None
    leaves: bool = False

    @property
    def who(self) -> Waiting | None:
        scope = self.call.scope
        return None if scope is None else Waiting(scope.kind, scope.tenant)


@dataclass(slots=True, eq=False)
class _Ending:
    end: End
    answer: "asyncio.Future[None]"


class CallDesk:
    """Lets calls through as `limits` and budgets allow, and closes them. `pressure` is told who waits."""

    def __init__(self, store: Store, limits: Sequence[ModelLimit], pressure: Pressure) -> None:
        self._store = store
        self._limits = tuple(limits)
        self._pressure = pressure
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def open(self, call: OpenCall, caller: Caller | None) -> Reserved:
        """Wait until the call may be made; answers what it has reserved. Its row is written then.

        Past a moment, or under a budget that is spent, a caller in a job leaves: raises Suspended. Raises OutOfBudget
        where there is no job, NoPrice and StoreUnavailable; nothing is to be called then.
        """
        line = self._line()
        waiter = line.ask(call)
        called = False
        try:
            verdict = await (waiter.answer if caller is None else self._patiently(line, waiter, caller))
            reserved = await self._reserved(call, verdict, caller)
            called = True
            return reserved
        finally:
            line.drop(waiter)
            if caller is not None:
                caller.go_on(called=called)

    async def close(self, end: End) -> None:
        """Write how a call has ended. While the store is away it stays open; the leader closes it as unknown."""
        await self._line().end(end)

    async def _patiently(self, line: "_Line", waiter: _Waiter, caller: Caller) -> Verdict:
        answer = waiter.answer
        await asyncio.wait((answer, waiter.far), timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and waiter.held is not None:
            rest = asyncio.ensure_future(caller.at_rest())
            try:
                await asyncio.wait((answer, rest), return_when=asyncio.FIRST_COMPLETED)
            finally:
                rest.cancel()
            if not answer.done():
                line.leave(waiter)
        verdict = await answer
        if isinstance(verdict, Held):
            caller.leave(verdict.expected_at, f"{verdict.what} {verdict.by}")
        return verdict

    async def _reserved(self, call: OpenCall, verdict: Verdict, caller: Caller | None) -> Reserved:
        """What a verdict means for who calls. Raises as `open`."""
        if isinstance(verdict, Unpriced):
            raise NoPrice(verdict.budget, call.provider, call.model)
        if isinstance(verdict, Held):
            raise RuntimeError("a call that stays was told to leave")
        if isinstance(verdict, BudgetHold):
            if caller is None:
                raise OutOfBudget(f"budget {verdict.text}")
            # There is no end to wait for in place: it leaves, also when its step has paid for a call before.
            await caller.at_rest(though_paid=True)
            caller.leave(verdict.until, f"budget {verdict.text}")
        return verdict

    def _line(self) -> "_Line":
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line(self._store, self._limits, self._pressure)
        return line


@dataclass(slots=True, eq=False)
class _Work:
    """What the next transaction is about."""

    waiters: list[_Waiter] = field(default_factory=list)
    endings: list[_Ending] = field(default_factory=list)
    withdrawn: list[Withdrawn] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.waiters or self.endings or self.withdrawn)


class _Line:
    """Those of one loop who ask or end. Its task lives while there are any."""

    def __init__(self, store: Store, limits: Sequence[ModelLimit], pressure: Pressure) -> None:
        self._store = store
        self._limits = limits
        self._pressure = pressure
        self._work = _Work()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def ask(self, call: OpenCall) -> _Waiter:
        """A call asks."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(call, loop.create_future(), loop.create_future())
        self._work.waiters.append(waiter)
        self._look()
        return waiter

    def leave(self, waiter: _Waiter) -> None:
        """It does not stay: it is let through at once, or told when to come back."""
        waiter.leaves = True
        self._look()

    def drop(self, waiter: _Waiter) -> None:
        """It asks no more."""
        waiter.far.cancel()
        waiter.answer.cancel()

    async def end(self, end: End) -> None:
        """A call is over."""
        ending = _Ending(end, asyncio.get_running_loop().create_future())
        self._work.endings.append(ending)
        self._look()
        await ending.answer

    def _look(self) -> None:
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._live(), name="penstock-calls")

    async def _live(self) -> None:
        while self._work:
            self._wake.clear()
            again_at = await self._round()
            if again_at is not None and not self._wake.is_set():
                await self._pause((again_at - self._store.clock.now()) / 1_000_000)

    async def _pause(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _round(self) -> int | None:
        """One transaction; answers when those who were held are to ask again (µs)."""
        work, kept = self._taken()
        try:
            await self._pass(work)
        except StoreUnavailable as error:
            self._fail(work, error)
        except Exception as error:  # noqa: BLE001 - it is raised where the calls are awaited
            if len(work.waiters) + len(work.endings) > 1:
                await self._one_by_one(work)
            else:
                self._fail(work, error)
        finally:
            waiting = [waiter for waiter in work.waiters if not waiter.answer.done()]
            self._work.waiters[:0] = [*waiting, *kept]
        return min((waiter.held.again_at for waiter in waiting if waiter.held is not None), default=None)

    def _taken(self) -> tuple[_Work, list[_Waiter]]:
        """The next transaction's, and those who have to wait for another."""
        work, self._work = self._work, _Work()
        waiters = []
        for waiter in work.waiters:
            if not waiter.answer.done():
                waiters.append(waiter)
            else:
                self._give_up(waiter)
        work.waiters, kept = waiters[:_MOST], waiters[_MOST:]
        return work, kept

    async def _pass(self, work: _Work) -> None:
        asks = [Ask(waiter.call, waiter.leaves) for waiter in work.waiters]
        ends = [ending.end for ending in work.endings]
        now = self._store.clock.now()
        answers = await self._store.run(pass_calls(asks, ends, work.withdrawn, self._limits, now))
        if answers.missing:
            await self._store.run(make_windows(answers.missing, now))
            answers = await self._store.run(pass_calls(asks, ends, work.withdrawn, self._limits, now, made=True))
        work.withdrawn = []
        for ending in work.endings:
            if not ending.answer.done():
                ending.answer.set_result(None)
        for waiter, ask, verdict in zip(work.waiters, asks, answers.verdicts, strict=True):
            if isinstance(verdict, Held):
                self._hold(waiter, verdict, leaves=ask.leaves, now=now)
            else:
                self._decide(waiter, verdict)

    def _decide(self, waiter: _Waiter, verdict: Verdict) -> None:
        if isinstance(verdict, Reserved) and waiter.who is not None:
            self._pressure.goes(waiter.who, was_held=waiter.held is not None)
        else:
            self._give_up(waiter)
        if not waiter.answer.done():
            waiter.answer.set_result(verdict)
        elif isinstance(verdict, Reserved):  # nobody wants it any more
            self._work.withdrawn.append(Withdrawn(waiter.call, verdict))

    def _hold(self, waiter: _Waiter, verdict: Held, *, leaves: bool, now: int) -> None:
        if waiter.answer.done():  # nobody waits for it any more
            self._give_up(waiter)
            return
        if waiter.held is None and waiter.who is not None:
            self._pressure.waits(waiter.who)
        waiter.held = verdict
        if leaves:
            waiter.answer.set_result(verdict)
            if waiter.who is not None:
                self._pressure.leaves(waiter.who, (verdict.expected_at - now) / 1_000_000)
        elif verdict.expected_at - now > PATIENCE_S * 1_000_000 and not waiter.far.done():
            waiter.far.set_result(None)

    def _give_up(self, waiter: _Waiter) -> None:
        """It asks no more."""
        if waiter.held is not None and waiter.who is not None:
            self._pressure.gives_up(waiter.who)
        waiter.held = None

    async def _one_by_one(self, work: _Work) -> None:
        """One of them is at fault: the others are not to suffer for it."""
        parts = [_Work(waiters=[waiter]) for waiter in work.waiters]
        parts += [_Work(endings=[ending]) for ending in work.endings]
        for part in parts:
            try:
                await self._pass(part)
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(part, error)

    def _fail(self, work: _Work, error: Exception) -> None:
        for waiter in work.waiters:
            self._give_up(waiter)
            if not waiter.answer.done():
                waiter.answer.set_exception(_as_own(error))
        for ending in work.endings:
            logger.warning("model call %s could not be closed in the ledger: %s", ending.end.call.id, error)
            if not ending.answer.done():
                ending.answer.set_result(None)


def _as_own(error: Exception) -> Exception:
    """For each who waits an error of their own: one that is raised twice would show the other's way."""
    if isinstance(error, StoreUnavailable):
        own = StoreUnavailable(*error.args)
        own.__cause__ = error
        return own
    return error
