"""The event log: publish in the transaction, positions after it, ordered reading."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock import codec
from penstock.store.program import Call, Steps, Topic, Wake, program


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A fact to be written; `data` is JSON."""

    stream: str
    type: str
    subject: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A fact at its position. `at` in µs; `data` is JSON text."""

    position: int
    stream: str
    type: str
    subject: str | None
    data: str
    at: int


@program
def publish(events: Sequence[NewEvent], now: int) -> Steps[None]:
    """Write events; they become readable, at increasing positions, once the transaction has committed."""
    if events:
        rows = [{"stream": e.stream, "type": e.type, "subject": e.subject, "data": codec.raw(e.data)} for e in events]
        yield Call("publish", {"events": codec.rows(rows), "now": now})
        yield Wake(frozenset({Topic.LOG}))


@program
def unnumbered_events() -> Steps[bool]:
    """Whether there are committed events that have no position yet."""
    return bool((yield Call("unnumbered", only=True)))


@program
def number_events(limit: int = 1000) -> Steps[int]:
    """Give positions to committed events that have none yet; answers how many got one."""
    if not (yield Call("unnumbered")):
        return 0
    # In a statement of its own: the next one must see what whoever held the lock before has numbered.
    yield Call("lock_log")
    return int((yield Call("number_events", {"limit": limit}))[0][0])


@program
def read_events(
    after: int, limit: int, *, stream: str | None = None, subject: str | None = None, types: Sequence[str] | None = None
) -> Steps[list[StoredEvent]]:
    """Events after a position, in order, filtered by stream, subject and types."""
    wanted = None if types is None else codec.ids(list(types))
    params = {"after": after, "limit": limit, "stream": stream, "subject": subject, "types": wanted}
    return [StoredEvent(*row) for row in (yield Call("read_events", params, only=True))]


@program
def log_head() -> Steps[int]:
    """The last position given."""
    return int((yield Call("log_head", only=True))[0][0])
