"""Streams: partial output of runs. What a run writes under a name is one text, kept from its beginning on."""

from typing import NamedTuple

MAX_CHARS = 1_000_000
"""The most characters that a stream keeps; what is written after them is left out, and readers are told."""

MAX_STREAMS = 1_000
"""The most streams that one run writes."""


class StreamWrite(NamedTuple):
    """The next text of a stream, from a run. `start`: how many characters of it were written before.

    `part` counts how often the run has begun the stream anew; `cut`: what came after this was over the limit. It may
    be written twice, or again with more text: what is there already is not doubled.
    """

    job_id: str
    claim_id: int
    attempt: int
    name: str
    part: int
    start: int
    text: str
    cut: bool = False

    @property
    def end(self) -> int:
        """How many characters there are with it."""
        return self.start + len(self.text)
