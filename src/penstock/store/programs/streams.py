"""Streams of jobs: written by runs on their way, read by whoever has a place in them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from penstock import codec
from penstock.domain.streams import StreamWrite
from penstock.store.program import Call, Row, Steps, Topic, Wake, program
from penstock.store.programs.settle import plain

WrittenKey = tuple[str, int, str]
"""Job, claim and name of a stream."""


class StreamHead(NamedTuple):
    """A stream as it stands. `version` counts how often it began; `length` in characters; `at` µs of the last write.

    `attempt`: of the run that wrote it; `cut`: what came after its text was over the limit.
    """

    name: str
    version: int
    attempt: int
    length: int
    cut: bool
    at: int


class Place(NamedTuple):
    """How far somebody has read: `offset` characters of a version (None: of whichever there is)."""

    version: int | None
    offset: int
    cut: bool = False


class Piece(NamedTuple):
    """Text of a stream, from `start` on."""

    head: StreamHead
    start: int
    text: str


class StreamNews(NamedTuple):
    """What is new in the streams of a job, and the state it is in."""

    state: str
    pieces: list[Piece]


@program
def write_streams(writes: Sequence[StreamWrite], now: int) -> Steps[set[WrittenKey]]:
    """Write text of several runs; answers the streams whose claim still held. Each stream of a claim at most once."""
    if not writes:
        return set()
    # In the order in which endings lock.
    ordered = sorted(writes, key=lambda write: (write.job_id, write.name))
    found = yield Call("write_streams", {"rows": codec.rows([_head_row(write) for write in ordered]), "now": now})
    versions: dict[WrittenKey, tuple[int, int]] = {(row[0], row[1], row[2]): (row[3], row[4]) for row in found}
    chunks = []
    for write in ordered:
        version, part = versions.get((write.job_id, write.claim_id, write.name), (0, -1))
        if part == write.part:
            chunks.append(_chunk_row(write, version))
    if chunks:
        yield Call("write_chunks", {"rows": codec.rows(chunks)})
        yield Wake(frozenset(Topic.stream(job_id) for job_id, _, _ in versions))
    return set(versions)


@program
def streams_of(job_id: str, name: str | None = None) -> Steps[tuple[str, list[StreamHead]] | None]:
    """The state of a job and its streams, by name; None when there is no such job."""
    rows = yield Call("streams_of", {"job_id": job_id, "name": name}, only=True)
    return (rows[0][0], _heads(rows)) if rows else None


@program
def stream_news(job_id: str, name: str | None, places: Mapping[str, Place], first: Place) -> Steps[StreamNews | None]:
    """What there is beyond these places, in one state of the database; None when there is no such job.

    `name`: None for all streams; `first`: the place in streams that `places` does not know.
    """
    rows = yield Call("streams_of", {"job_id": job_id, "name": name})
    if not rows:
        return None
    pieces: list[Piece] = []
    for head in _heads(rows):
        place = places.get(head.name, first)
        if place.version in (None, head.version):
            if place.offset >= head.length and place.cut == head.cut:
                continue
            start = place.offset
        else:
            start = 0
        params = {"job_id": job_id, "name": head.name, "version": head.version, "start": start}
        pieces += _pieces(head, start, (yield Call("stream_chunks", params)))
    return StreamNews(rows[0][0], pieces)


def _heads(rows: Sequence[Row]) -> list[StreamHead]:
    return [StreamHead(name, v, n, size, bool(cut), at) for _, name, v, n, size, cut, at in rows if name is not None]


def _pieces(head: StreamHead, start: int, chunks: Sequence[Row]) -> list[Piece]:
    """The text from `start` on. One piece, unless something is missing in between."""
    pieces: list[Piece] = []
    reached = start
    for begins, chunk in chunks:
        text = chunk[max(0, reached - begins) :]
        at = max(begins, reached)
        if pieces and at == reached:
            pieces[-1] = pieces[-1]._replace(text=pieces[-1].text + text)
        elif text:
            pieces.append(Piece(head, at, text))
        reached = at + len(text)
    return pieces or [Piece(head, start, "")]


def _head_row(write: StreamWrite) -> dict[str, object]:
    return {
        "id": write.job_id, "claim": write.claim_id, "attempt": write.attempt, "name": write.name, "part": write.part,
        "end": write.end, "cut": write.cut,
    }  # fmt: skip


def _chunk_row(write: StreamWrite, version: int) -> dict[str, object]:
    text = plain(write.text, len(write.text))
    return {"id": write.job_id, "name": write.name, "version": version, "start": write.start, "text": text}
