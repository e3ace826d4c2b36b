"""Streams of runs: text that handlers write, in order, those of several runs together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from penstock.context import Job
from penstock.context.streams import RunKey, Stream
from penstock.domain.streams import StreamWrite
from penstock.store.base import Store
from penstock.store.programs.streams import write_streams
from penstock.worker.gathering import Gathering
from penstock.worker.outage import Outage
from penstock.worker.redaction import PieceMask, Redactor
from penstock.worker.service import OnFailure

CHUNK = 65_536
"""Characters of a stream that go in one row at most."""
STATEMENT_CHARS, STATEMENT_ROWS = 1_000_000, 500
"""What one statement writes, about."""


class StreamDesk(Gathering[frozenset[Stream]]):
    """Makes the streams of all runs of a worker, and writes what they hold.

    A stream keeps its text until it is known to be in the store; here are only those that have some.
    """

    def __init__(self, store: Store, redactor: Redactor, outage: Outage, on_failure: OnFailure) -> None:
        super().__init__("streams", outage, on_failure)
        self._store = store
        self._redactor = redactor

    def open(self, job: Job[Any], name: str) -> Stream:
        """A stream of this run."""
        run = RunKey(job.id, job.claim_id, job.attempt)
        secrets = self._redactor.of(job.id, job.claim_id)
        return Stream(run, name, self._has_news, lambda: None if secrets is None else PieceMask(secrets))

    def end(self, job: Job[Any]) -> None:
        """The run has ended: let go of what its streams hold back. Ended inside a transaction it has written all."""
        for stream in (job.streams or {}).values():
            stream.close() if job.ended else stream.end()

    def merged(self, older: frozenset[Stream], newer: frozenset[Stream]) -> frozenset[Stream]:
        """All of them."""
        return older | newer

    async def write(self, items: Sequence[frozenset[Stream]]) -> None:
        """Write what they hold. A stream that the store refuses is closed: its run no longer holds its job."""
        streams: dict[tuple[str, int, str], Stream] = {}
        for stream in frozenset[Stream]().union(*items):
            streams[stream.run.job_id, stream.run.claim_id, stream.name] = stream
        writes = [write for stream in streams.values() if (write := stream.unwritten()) is not None]
        for batch in batches(writes):
            # On the disk before it is forgotten here: else a server that dies would leave a gap before what follows.
            written = await self._store.run(write_streams(batch, self._store.clock.now()))
            for one in batch:
                key = (one.job_id, one.claim_id, one.name)
                if key in written:
                    streams[key].written(one)
                else:
                    streams[key].close()

    def _has_news(self, stream: Stream) -> None:
        self.take((stream.run.job_id, stream.run.claim_id), frozenset((stream,)))


def batches(writes: Iterable[StreamWrite]) -> Iterator[list[StreamWrite]]:
    """What is written in one statement each: of bounded size, each stream at most once, the pieces of one in order.

    A long text is parted at the same characters whenever it begins at the same: what is written again is the same.
    """
    batch: dict[tuple[str, int, str], StreamWrite] = {}
    size = 0
    for write in writes:
        for piece in _chunks(write):
            key = (write.job_id, write.claim_id, write.name)
            if key in batch or len(batch) >= STATEMENT_ROWS or size >= STATEMENT_CHARS:
                yield list(batch.values())
                batch, size = {}, 0
            batch[key] = piece
            size += len(piece.text)
    if batch:
        yield list(batch.values())


def _chunks(write: StreamWrite) -> Iterator[StreamWrite]:
    for at in range(0, max(1, len(write.text)), CHUNK):
        text = write.text[at : at + CHUNK]
        is_last = at + CHUNK >= len(write.text)
        yield write._replace(start=write.start + at, text=text, cut=write.cut and is_last)
