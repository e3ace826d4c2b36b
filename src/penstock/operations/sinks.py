"""What people do with usage sinks: see what each is owed and has refused, and decide about that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.domain.options import moment_of
from penstock.errors import NotFound
from penstock.store.base import Store
from penstock.store.programs.sinks import (
    drop_refused,
    forget_sink,
    list_sinks,
    refused_calls,
    retry_refused,
)


@dataclass(frozen=True, slots=True)
class SinkView:
    """A usage sink: since when it is told, how many calls it is owed and since when, how many it has refused."""

    name: str
    since: datetime
    owed: int
    owed_since: datetime | None
    refused: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class RefusedView:
    """A call that a sink does not take as it is, and why."""

    call_id: str
    problem: str
    refused_at: datetime


class SinkOperations:
    """Inspect usage sinks, and settle what they have refused. All but `list` raise NotFound."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self) -> Sequence[SinkView]:
        """All sinks that some code has named, by name."""
        return [
            SinkView(
                one.name, moment_of(one.since), one.owed, None if one.oldest is None else moment_of(one.oldest),
                one.refused, one.problem,
            )
            for one in await self._store.read(list_sinks())
        ]  # fmt: skip

    async def refused(self, name: str) -> Sequence[RefusedView]:
        """What it has refused, the oldest first; 1,000 at most."""
        await self._known(name)
        found = await self._store.read(refused_calls(name))
        return [RefusedView(one.call_id, one.problem, moment_of(one.refused_at)) for one in found]

    async def retry(self, name: str) -> int:
        """Send what was refused once more; answers how many calls."""
        await self._known(name)
        return await self._store.run(retry_refused(name, self._store.clock.now()))

    async def drop(self, name: str) -> int:
        """Let what was refused be; answers how many calls."""
        await self._known(name)
        return await self._store.run(drop_refused(name))

    async def forget(self, name: str) -> None:
        """Owe it nothing any more. Code that still names it is told anew from then on."""
        if not await self._store.run(forget_sink(name)):
            raise _unknown(name)

    async def _known(self, name: str) -> None:
        if name not in {one.name for one in await self._store.read(list_sinks())}:
            raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return NotFound(f"no usage sink {name!r}; `penstock sinks list` names them")
