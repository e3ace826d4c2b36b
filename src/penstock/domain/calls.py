"""For whom a model is called: the job, run and step of the moment. Set around handlers and steps, read by gates."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, NoReturn, Protocol


class CallScope(NamedTuple):
    """A run of a job, and the step in it that calls. `attempt` counts from 1."""

    job_id: str
    claim_id: int
    attempt: int
    kind: str
    tenant: str | None = None
    flow_id: str | None = None
    step: str | None = None

    @property
    def key(self) -> str:
        """Names the call for a provider that remembers calls: the same for every attempt of the step."""
        return self.job_id if self.step is None else f"{self.job_id}:{self.step}"


class Caller(Protocol):
    """Who calls. A call that has to wait long lets its run go, so that the slot is free: `at_rest`, then `leave`."""

    @property
    def scope(self) -> CallScope: ...

    async def at_rest(self, *, though_paid: bool = False) -> None:
        """Wait until the run could end and lose nothing that is under way or paid for, which may be never.

        though_paid: what this caller itself has paid for may be lost.
        """
        ...

    def go_on(self, *, called: bool) -> None:
        """It waits no more, because a call is made or for another reason."""
        ...

    def leave(self, until: int, reason: str) -> NoReturn:
        """End the run; its job goes on at `until` (µs). Raises Suspended."""
        ...


class _HasCaller(Protocol):
    @property
    def caller(self) -> Caller: ...


CALLER: ContextVar[_HasCaller | CallScope | None] = ContextVar("penstock_caller", default=None)
"""Set by workers around each handler and by steps around what they call. A bare scope: its run cannot leave."""


def current_caller() -> Caller | None:
    """Who calls here; None outside of runs."""
    found = CALLER.get()
    return None if found is None or isinstance(found, CallScope) else found.caller


def current_scope() -> CallScope | None:
    """For whom a call made here is; None outside of jobs."""
    found = CALLER.get()
    return found if found is None or isinstance(found, CallScope) else found.caller.scope


@contextmanager
def calling(caller: _HasCaller | CallScope) -> Iterator[None]:
    """Calls made inside are this one's."""
    token = CALLER.set(caller)
    try:
        yield
    finally:
        CALLER.reset(token)
