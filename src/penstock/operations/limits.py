"""What people see of providers' limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.domain.limits import Tokens
from penstock.domain.options import moment_of
from penstock.store.base import Store
from penstock.store.programs.limits import LimitRow, list_limits


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit for one key of a provider: rates a minute as declared, and what the provider itself has told where known.

    running: calls on their way; opens_at: when the next call may go (None: now); waiting: kinds whose jobs wait for it.
    """

    provider: str
    model: str | None
    account: str
    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    concurrent: int | None
    told_requests: int | None
    told_input_tokens: int | None
    told_output_tokens: int | None
    running: int
    opens_at: datetime | None
    waiting: tuple[str, ...]


class LimitOperations:
    """Inspect limits of model calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self) -> Sequence[LimitView]:
        """All limits that a call has met."""
        now = self._store.clock.now()
        return [_view(row, now) for row in await self._store.read(list_limits())]


def kept_by(rows: Sequence[LimitRow], kind: str, now: int) -> LimitRow | None:
    """The limit at which calls of this kind wait now; of several the one that opens last."""
    waiting = [row for row in rows if _is_waited_at(row, now) and kind in row.waiting_kinds]
    return max(waiting, key=lambda row: _opens_at(row, now), default=None)


def goes_at(row: LimitRow, ahead: int, now: int) -> datetime:
    """When a call is expected to go that has so many before it."""
    bucket = row.bucket()
    pace = bucket.pace(bucket.estimate(0, None))
    return moment_of(_opens_at(row, now)) + timedelta(microseconds=pace * ahead)


def _is_waited_at(row: LimitRow, now: int) -> bool:
    return max(row.contested_until, row.held_until) > now


def _opens_at(row: LimitRow, now: int) -> int:
    return row.bucket().opens_at(Tokens(0, 0), now)


def _view(row: LimitRow, now: int) -> LimitView:
    opens_at, told = _opens_at(row, now), row.bucket().told
    return LimitView(
        row.provider, row.model or None, row.account, row.requests, row.input_tokens, row.output_tokens, row.concurrent,
        told.requests, told.input_tokens, told.output_tokens, row.running,
        moment_of(opens_at) if opens_at > now else None,
        tuple(row.waiting_kinds) if _is_waited_at(row, now) else (),
    )  # fmt: skip
