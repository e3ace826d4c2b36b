"""Spoken text: pieces with their places in time, and how they become paragraphs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from systems.study_notes.domain.text import clean

PAUSE_S = 2.0
SHORTEST_S = 0.25
_PARAGRAPH_WORDS = 100
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\u0964][\"'\u201d\u2019)\]]*$")


@dataclass(frozen=True, slots=True)
class TimedText:
    """A piece of spoken text with its place in the recording, in seconds."""

    text: str
    start_s: float
    end_s: float

    def later(self, seconds: float) -> "TimedText":
        """The same piece in a recording that began `seconds` earlier."""
        return TimedText(self.text, round(self.start_s + seconds, 3), round(self.end_s + seconds, 3))

    def as_json(self) -> dict[str, object]:
        """For the source's metadata."""
        return {"text": clean(self.text), "start_s": self.start_s, "end_s": self.end_s}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a recording: its number from 1, and where it begins and how long it is (seconds)."""

    number: int
    start_s: float
    length_s: float


def chunks_of(length_s: float, chunk_s: float) -> list[Chunk]:
    """A recording of `length_s` seconds in consecutive parts of `chunk_s`, the last one shorter; none is left out.

    A rest too short for a word (encoders pad by as much) belongs to the part before it.
    """
    number = max(1, ceil((length_s - SHORTEST_S) / chunk_s))
    return [
        Chunk(index + 1, index * chunk_s, chunk_s if index + 1 < number else length_s - index * chunk_s)
        for index in range(number)
    ]


def paragraphs(pieces: Sequence[TimedText]) -> str:
    """The pieces as running text; a paragraph ends at a pause, or at the end of a sentence once it is long."""
    found: list[list[str]] = []
    words = 0
    before: TimedText | None = None
    for piece in pieces:
        paused = before is not None and piece.start_s - before.end_s >= PAUSE_S
        full = before is not None and words >= _PARAGRAPH_WORDS and ends_sentence(before.text)
        if before is None or paused or full:
            found.append([])
            words = 0
        found[-1].append(piece.text)
        words += len(piece.text.split())
        before = piece
    return "\n\n".join(" ".join(texts) for texts in found)


def joined(texts: Iterable[str]) -> str:
    """Texts of consecutive parts as one: a new paragraph where the part before ended its sentence."""
    whole = ""
    for text in (text.strip() for text in texts):
        if whole and text:
            whole += "\n\n" if ends_sentence(whole) else " "
        whole += text
    return whole


def ends_sentence(text: str) -> bool:
    """Whether a sentence is over at the end of `text`."""
    return _SENTENCE_END.search(text) is not None
