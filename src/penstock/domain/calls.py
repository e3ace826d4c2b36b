"""For whom a model is called: the job, the run and the step of the moment. Set around steps, read by the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


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


_SCOPE: ContextVar[CallScope | None] = ContextVar("penstock_call_scope", default=None)


def current_scope() -> CallScope | None:
    """For whom a call made here is; None outside of steps."""
    return _SCOPE.get()


@contextmanager
def calling(scope: CallScope) -> Iterator[None]:
    """Calls made inside are for this scope."""
    token = _SCOPE.set(scope)
    try:
        yield
    finally:
        _SCOPE.reset(token)
