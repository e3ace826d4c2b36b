"""What runs stream and what readers read, by hand."""

from collections.abc import Sequence

from penstock.domain.claimed import ClaimedJob
from penstock.domain.streams import StreamWrite
from penstock.operations import StreamPiece, StreamReader
from penstock.store.base import Store
from penstock.store.programs.streams import write_streams


def text_of(
    job: ClaimedJob, text: str, start: int = 0, *, name: str = "plan", part: int = 0, cut: bool = False
) -> StreamWrite:
    """What a run has to write."""
    return StreamWrite(job.id, job.claim_id, job.attempts_before + 1, name, part, start, text, cut)


async def write(store: Store, *writes: StreamWrite) -> Sequence[bool]:
    """Write it in one statement; whether each was taken."""
    written = await store.run(write_streams(writes, store.clock.now()))
    return [(one.job_id, one.claim_id, one.name) in written for one in writes]


async def read(store: Store, reader: StreamReader) -> list[StreamPiece]:
    """What a reader finds now."""
    return reader.taken(await store.read(reader.looking()))


async def text_now(store: Store, job_id: str, name: str = "plan") -> str:
    """All of a stream as it is now."""
    return "".join(piece.text for piece in await read(store, StreamReader(job_id, name)))
