"""Streams as people read them: what is there, and what comes, from any offset."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from penstock.domain.options import moment_of
from penstock.domain.states import FINAL, JobState
from penstock.domain.steps import checked_step
from penstock.errors import InvalidJob, NotFound
from penstock.store.base import Store, Topics
from penstock.store.program import Program, Topic
from penstock.store.programs.streams import Piece, Place, StreamHead, StreamNews, stream_news

NET_S = 0.5
"""How often a reader looks when nothing woke it: wake-ups are hints, and none tells of a job's end."""


@dataclass(frozen=True, slots=True)
class StreamPiece:
    """Text of a stream. `offset`: of its first character, in the text of this `version`.

    restarted: the stream began anew, by a later attempt or within one; what was read of it before is void, and this is
    from its beginning. `text` may then be empty. cut: the stream is full, and what comes after this text is not kept.
    """

    stream: str
    version: int
    attempt: int
    offset: int
    text: str
    restarted: bool = False
    cut: bool = False

    @property
    def end(self) -> int:
        """The offset at which to go on reading, in this version."""
        return self.offset + len(self.text)


@dataclass(frozen=True, slots=True)
class StreamView:
    """A stream as it stands; `length` in characters. See `StreamPiece`."""

    name: str
    version: int
    attempt: int
    length: int
    cut: bool
    at: datetime

    @classmethod
    def of(cls, head: StreamHead) -> "StreamView":
        """From a stored row."""
        return cls(head.name, head.version, head.attempt, head.length, head.cut, moment_of(head.at))


class StreamReader:
    """Reads the streams of one job, and knows how far it is. `name`: one of them, None: all.

    offset: where to begin, in characters; version: the one that was read before (None: whichever there is). Raises
    InvalidJob for what cannot be a name, an offset or a version.
    """

    def __init__(self, job_id: str, name: str | None = None, *, offset: int = 0, version: int | None = None) -> None:
        if offset < 0:
            raise InvalidJob(f"offset must be a number of characters, 0 or more, not {offset!r}")
        if version is not None and version < 1:
            raise InvalidJob(f"version must be 1 or more, not {version!r}")
        if name is None and (offset or version is not None):
            raise InvalidJob("an offset and a version are of one stream: name it")
        self.job_id = job_id
        self.has_ended = False
        self._name = None if name is None else checked_step("stream", name)
        self._first = Place(version, offset)
        self._places: dict[str, Place] = {}

    def looking(self) -> Program[StreamNews | None]:
        """The program that looks for news."""
        return stream_news(self.job_id, self._name, self._places, self._first)

    def taken(self, news: StreamNews | None) -> list[StreamPiece]:
        """What it found, in order. Raises NotFound."""
        if news is None:
            raise NotFound(f"no job {self.job_id} (was it pruned?)")
        self.has_ended = JobState(news.state) in FINAL
        return [self._taken(piece) for piece in news.pieces]

    def _taken(self, piece: Piece) -> StreamPiece:
        head = piece.head
        before = self._places.get(head.name, self._first)
        restarted = before.version not in (None, head.version)
        is_last = piece.start + len(piece.text) >= head.length
        found = StreamPiece(
            head.name, head.version, head.attempt, piece.start, piece.text, restarted, cut=head.cut and is_last
        )
        self._places[head.name] = Place(head.version, found.end, found.cut)
        return found


async def tail_job(store: Store, reader: StreamReader, *, follow: bool = True) -> AsyncIterator[StreamPiece]:
    """Yield what is there, and with `follow` what comes, until the job has ended. Raises NotFound."""
    for piece in reader.taken(await store.read(reader.looking())):
        yield piece
    if reader.has_ended or not follow:
        return
    with _listening(store, reader.job_id) as news:
        while not reader.has_ended:
            news.clear()
            for piece in reader.taken(await store.read(reader.looking())):
                yield piece
            if not reader.has_ended:
                await _wait(news)


@contextmanager
def _listening(store: Store, job_id: str) -> Iterator[asyncio.Event]:
    news = asyncio.Event()
    topic = Topic.stream(job_id)

    def on_wake(topics: Topics) -> None:
        if not topics or topic in topics:
            news.set()

    subscription = store.subscribe(on_wake)
    try:
        yield news
    finally:
        subscription.close()


async def _wait(news: asyncio.Event) -> None:
    """Until there is news, at most `NET_S`."""
    timer = asyncio.get_running_loop().call_later(NET_S, news.set)
    try:
        await news.wait()
    finally:
        timer.cancel()
