"""What a run remembers of the runs before it: steps that are done, and what the job waits for."""

import asyncio
import inspect
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any, NoReturn, Protocol, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from penstock.context.resting import Resting, StepCaller
from penstock.domain.calls import CallScope, calling
from penstock.domain.job import is_count, seconds_of
from penstock.domain.retry import LONGEST_S, RetryPolicy, next_delay
from penstock.domain.signals import Signal
from penstock.domain.steps import NEVER, TIMED_OUT, Step, Suspended, checked_step
from penstock.errors import ClaimLost, InvalidJob, NoPrice, SignalTimeout

_MOST_TRIES = 1_000
_RNG = random.Random()  # noqa: S311 - jitter of retries, no secret
_ANY = TypeAdapter(Any)


class StepPort(Protocol):
    """Where steps are kept, for one run. Writes are fenced: they raise ClaimLost when it no longer holds its job."""

    def now(self) -> int:
        """The store's time, in µs."""
        ...

    async def load(self) -> Mapping[str, Step]:
        """What earlier runs have stored."""
        ...

    async def store(self, step: Step, started_at: int) -> None:
        """Write a step; returns once it is durable. Raises InvalidJob for a name that its kind does not declare."""
        ...

    async def await_signal(self, step: Step) -> Step:
        """The step, with a result if its signal is there or its time is over."""
        ...

    def refitted(self, name: str, why: str) -> None:
        """A stored result no longer fits the step's type; it is done again."""
        ...


class Steps:
    """The steps of one run."""

    def __init__(self, port: StepPort, scope: CallScope) -> None:
        self._port = port
        self._scope = scope
        self._stored: Mapping[str, Step] | None = None
        self._loading = asyncio.Lock()
        self._asked: set[str] = set()
        self._sleeps = 0
        self._waits = False
        self._resting = Resting()
        self.caller = StepCaller(scope, self._resting)

    @property
    def unasked(self) -> list[str]:
        """Stored steps that this run has not asked for."""
        return sorted((self._stored or {}).keys() - self._asked)

    async def step(
        self,
        name: str,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        timeout: float | timedelta | None,
        tries: int,
        retry: RetryPolicy,
        returns: Any,
    ) -> Any:
        """See `Job.step`."""
        if not is_count(tries, _MOST_TRIES):
            raise InvalidJob(f"step {name!r}: tries must be an integer from 1 to {_MOST_TRIES:,}, not {tries!r}")
        timeout_s = seconds_of(f"timeout of step {name!r}", timeout)
        adapter = _adapter(_function_of(call)) if returns is None else TypeAdapter(returns)
        known = await self._ask(name)
        if known is not None and known.result is not None:
            try:
                return adapter.validate_json(known.result)
            except ValidationError as error:
                self._port.refitted(name, f"{error.error_count()} errors, the first: {error.errors()[0]['msg']}")
        began = self._port.now()
        with self._resting.working(), calling(StepCaller(self._scope._replace(step=name), self._resting)):
            result = await _tried(partial(_called, call, args, timeout_s), tries, retry)
            await self._port.store(Step(name, _dumped(name, adapter, result)), began)
        return result

    async def sleep(self, duration: float | timedelta, name: str | None) -> None:
        """See `Job.sleep`."""
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
        if not 0 <= seconds <= LONGEST_S:
            raise InvalidJob(f"sleep takes a timedelta or seconds from 0 to {LONGEST_S // 86_400} days")
        self._sleeps += 1
        step = await self._ask(name or f"sleep {self._sleeps}")
        if step is None or step.until_at is None:
            now = self._port.now()
            step = Step(name or f"sleep {self._sleeps}", until_at=now + int(seconds * 1_000_000))
            await self._port.store(step, now)
        if step.until_at is not None and step.until_at > self._port.now():
            self._suspend(step.until_at, "sleep")

    async def wait_for(self, signal: str, timeout: float | timedelta | None, name: str | None) -> Any:
        """See `Job.wait_for`."""
        checked_step("signal", signal)
        seconds = seconds_of("timeout of wait_for", timeout)
        name = name or f"signal {signal}"
        step = await self._ask(name)
        if step is None or step.result is None:
            until = None if seconds is None else self._port.now() + int(seconds * 1_000_000)
            # What an earlier run has begun to wait for has its time from then.
            step = await self._port.await_signal(step or Step(name, signal=signal, until_at=until))
        if step.result is None:
            self._suspend(NEVER if step.until_at is None else step.until_at, "signal")
        if step.result == TIMED_OUT:
            raise SignalTimeout(signal)
        return from_json(step.result)["data"]

    async def _ask(self, name: str) -> Step | None:
        """Take a name, once a run; what is stored under it."""
        checked_step("step", name)
        if name in self._asked:
            raise InvalidJob(f"step {name!r} was asked for twice in one run; give each a name of its own")
        self._asked.add(name)
        async with self._loading:
            if self._stored is None:
                self._stored = await self._port.load()
        return self._stored.get(name)

    def _suspend(self, until: int, reason: str) -> NoReturn:
        if self._waits:
            raise InvalidJob("a run can wait for one thing at a time: await sleep and wait_for one after the other")
        self._waits = True
        raise Suspended(until, reason)


async def _tried(call: Callable[[], Any], tries: int, retry: RetryPolicy) -> Any:
    """Call until it succeeds, at most so often. What the handler raises as a signal, and a lost claim, goes through."""
    for tried in range(1, tries + 1):
        try:
            return await call()
        except (Signal, ClaimLost, NoPrice):
            raise
        except Exception as error:
            if tried == tries:
                raise
            await asyncio.sleep(next_delay(retry, tried, type(error).__name__, _RNG))
    raise AssertionError("a step is tried at least once")


async def _called(call: Callable[..., Any], args: tuple[Any, ...], timeout_s: float | None) -> Any:
    async with asyncio.timeout(timeout_s):
        if inspect.iscoroutinefunction(call):
            return await call(*args)
        result = await asyncio.to_thread(call, *args)
        return await result if inspect.isawaitable(result) else result


@lru_cache(maxsize=1024)
def _adapter(call: Callable[..., Any]) -> TypeAdapter[Any]:
    """What a function returns, by its annotation; anything that is JSON without one."""
    try:
        returns = get_type_hints(call).get("return", Any)
    except (NameError, TypeError, AttributeError):
        return _ANY
    return TypeAdapter(returns)


def _function_of(call: Callable[..., Any]) -> Callable[..., Any]:
    """What is annotated: the function of a method, and what a partial calls."""
    while isinstance(call, partial):
        call = call.func
    function: Callable[..., Any] = getattr(call, "__func__", call)
    return function


def _dumped(name: str, adapter: TypeAdapter[Any], result: Any) -> bytes:
    try:
        return adapter.dump_json(result, warnings="error")
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise InvalidJob(
            f"step {name!r} returned {type(result).__name__}, which cannot be kept as JSON: {error}"
        ) from error
