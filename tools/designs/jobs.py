"""The jobs that every design stores: what the engine writes for a no-op job with a payload of about 100 bytes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from penstock import codec

LANE = 1
FIRST_POSITION = 1_700_000_000_000_000
DATA = codec.dumps({"text": "x" * 88}).decode()


class NewJob(NamedTuple):
    """A job as its producer knows it. Times and positions are microseconds since 1970."""

    id: str
    lane_id: int
    position: int
    created_at: int
    max_attempts: int
    data: str


def blocks(count: int, size: int, first: int = 0) -> Iterator[list[NewJob]]:
    """`count` jobs in age order, numbered from `first`, in blocks of at most `size`."""
    for start in range(first, first + count, size):
        places = range(FIRST_POSITION + start, FIRST_POSITION + min(start + size, first + count))
        yield [NewJob(codec.new_id(), LANE, place, place, 5, DATA) for place in places]


def copy_text(jobs: Sequence[NewJob], columns: Sequence[str]) -> bytes:
    """The lines that COPY takes for these columns; our values need no escaping."""
    places = [NewJob._fields.index(column) for column in columns]
    return "".join("\t".join([str(job[place]) for place in places]) + "\n" for job in jobs).encode()
