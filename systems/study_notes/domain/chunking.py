"""Cutting a long text into pieces that one request can hold."""

import re

_PARAGRAPH_END = re.compile(r"(?=\n[ \t]*\n)")
# Where a paragraph that is too long may be cut, best first: a sentence (also CJK and Indic ones), a line, a word.
_INNER_ENDS = (
    re.compile("[.!?\u2026][\"')\u2019\u201d\u00bb\\]]*(?=\\s)|[\u3002\uff01\uff1f\u0964]"),
    re.compile(r"(?=\n)"),
    re.compile(r"(?=\s)"),
)
# An end is known by what follows it, so the search looks a little beyond the limit.
_LOOK_AHEAD = 50


def chunks(text: str, max_chars: int) -> list[str]:
    """`text` in consecutive pieces of at most `max_chars` characters (at least 1), as long as they can be.

    Pieces end at paragraph ends; only a paragraph that is too long itself is cut inside, at a sentence, a line, a word
    or, when it has none of these, anywhere. Nothing but white space at the cuts is left out; blank text has no piece.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars must be at least 1, got {max_chars}")
    pieces: list[str] = []
    rest = text.strip()
    while len(rest) > max_chars:
        end = _end(rest, max_chars)
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*pieces, rest] if rest else pieces


def spread(pieces: list[str], count: int) -> list[str]:
    """At most `count` (at least 1) of the pieces, evenly spread over them, the first and (of two or more) last
    included."""
    if len(pieces) <= count:
        return pieces
    steps = max(1, count - 1)
    return [pieces[i * (len(pieces) - 1) // steps] for i in range(count)]


def _end(text: str, max_chars: int) -> int:
    """Where the first piece of a text longer than `max_chars` ends."""
    paragraph_end = _last(_PARAGRAPH_END, text, 0, max_chars)
    if paragraph_end and _paragraph_fits(text[paragraph_end : paragraph_end + 2 * max_chars].lstrip(), max_chars):
        return paragraph_end
    # The paragraph that follows must be cut anyway, so its beginning stays with what precedes it (often its heading).
    inner_ends = (_last(pattern, text, paragraph_end, max_chars) for pattern in _INNER_ENDS)
    return next((end for end in inner_ends if end), max_chars)


def _last(pattern: re.Pattern[str], text: str, after: int, max_chars: int) -> int:
    """The last end beyond `after` and not beyond `max_chars`, 0 when there is none."""
    found = pattern.finditer(text, after, max_chars + _LOOK_AHEAD)
    return max((match.end() for match in found if after < match.end() <= max_chars), default=0)


def _paragraph_fits(text: str, max_chars: int) -> bool:
    """Whether the first paragraph of `text` is no longer than `max_chars`."""
    return len(text) <= max_chars or _last(_PARAGRAPH_END, text, 0, max_chars) > 0
