"""Draws a page of a PDF: a program of its own, `python -m systems.study_notes.infrastructure.pdf_painter FILE PAGE`,
which writes a PNG. A page can be made so that drawing it takes for ever: see `apart`."""

from collections.abc import Sequence
from pathlib import Path

from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.infrastructure.apart import Unreadable, run
from systems.study_notes.infrastructure.pdf_file import page_picture


def work(arguments: Sequence[str]) -> bytes:
    """The page (from 0) as a PNG. Raises `Unreadable`."""
    path, page = arguments
    try:
        return page_picture(Path(path), int(page))
    except (PermanentSourceError, MemoryError) as error:
        raise Unreadable(str(error) or "it needs too much memory") from error


if __name__ == "__main__":
    run(work)
