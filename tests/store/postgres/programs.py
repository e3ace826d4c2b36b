"""Small programs with statements of their own."""

from collections.abc import Awaitable, Callable

from penstock.codec import JsonText
from penstock.store.postgres import PostgresStore
from penstock.store.program import Call, Lane, LaneKey, NeedLanes, Row, Steps, Wake, program

MakeStore = Callable[..., Awaitable[PostgresStore]]
"""Opens a store; options as PostgresStore."""

STATEMENTS = {
    "put": "INSERT INTO notes (id, text) VALUES (:id, :text) RETURNING id",
    "change": "UPDATE notes SET text = :text WHERE id = :id",
    "all": "SELECT id, text FROM notes ORDER BY id",
    "setting": "SELECT current_setting(:name)",
    "shapes": "SELECT :id::uuid, :data::json, :data::jsonb, ARRAY[:id::uuid], :n, :yes, :nothing::text, 'ready'::text",
    "say": "SELECT say(:text)",
    "backend": "SELECT pg_backend_pid()",
    "prepared": "SELECT count(*) FROM pg_prepared_statements",
}


@program
def put(id_: int, text: str = "", *, wake: str | None = None, seeks: bool = True) -> Steps[int]:
    """Write a note as the only statement."""
    rows = yield Call("put", {"id": id_, "text": text}, only=True, seeks=seeks)
    if wake:
        yield Wake(frozenset({wake}))
    written: int = rows[0][0]
    return written


@program
def put_all(*ids: int, wake: str | None = None, then: Exception | None = None) -> Steps[int]:
    """Write notes in one transaction, then perhaps refuse."""
    for id_ in ids:
        yield Call("put", {"id": id_, "text": "several"})
    if wake:
        yield Wake(frozenset({wake}))
    if then is not None:
        raise then
    return len(ids)


@program
def notes() -> Steps[list[int]]:
    """The ids of all notes."""
    return [row[0] for row in (yield Call("all", only=True))]


@program
def prepared() -> Steps[int]:
    """How many statements are prepared on the connection that runs this."""
    rows = yield Call("prepared", only=True)
    count: int = rows[0][0]
    return count


@program
def settings(*names: str, only: bool = False) -> Steps[list[str]]:
    """The values of server settings, as a statement of this program sees them."""
    found: list[str] = []
    for name in names:
        found += (yield Call("setting", {"name": name}, only=only))[0]
    return found


@program
def shapes(id_: str, data: bytes) -> Steps[Row]:
    """Values of every type that crosses the wire."""
    params = {"id": id_, "data": JsonText(data), "n": 7, "yes": True, "nothing": None}
    rows = yield Call("shapes", params, only=True)
    row: Row = rows[0]
    return row


@program
def lanes(*queues: str, note_first: int | None = None) -> Steps[list[Lane]]:
    """The lanes of these queues, perhaps asked for in the middle of a transaction."""
    if note_first is not None:
        yield Call("put", {"id": note_first, "text": "first"})
    found: list[Lane] = yield NeedLanes(tuple(LaneKey(queue, "kind") for queue in queues))
    return found
