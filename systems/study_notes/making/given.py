"""What somebody named on the command line, as something to hand in."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from systems.study_notes.application.inputs import (
    FILES,
    MAX_DOCUMENT_BYTES,
    DocumentInput,
    FileInput,
    Input,
    VideoInput,
    Wishes,
)
from systems.study_notes.domain.errors import TooLarge
from systems.study_notes.domain.file_kinds import HEAD_BYTES
from systems.study_notes.domain.lifecycle import SourceType

_PIECE_BYTES = 256 * 1024


class Unusable(Exception):
    """What was named cannot be made into notes; the text names it and says why, in one line."""


async def given(named: str, wishes: Wishes) -> Input:
    """A link to a video, or the file of that name: its kind is told by its content. Raises `Unusable`."""
    if "://" in named:
        return VideoInput(named, wishes)
    path = Path(named)
    try:
        return await asyncio.to_thread(_file, path, wishes)
    except FileNotFoundError as error:
        raise Unusable(f"{path}: there is no such file") from error
    except TooLarge as error:
        raise Unusable(f"{path}: {error.message}") from error
    except OSError as error:
        raise Unusable(f"{path}: cannot be read ({error.strerror or error})") from error


def _file(path: Path, wishes: Wishes) -> Input:
    if path.exists() and not path.is_file():
        raise Unusable(f"{path}: is no ordinary file")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    size = path.stat().st_size
    for kind, rule in FILES.items():
        if rule.fits(head):
            _must_fit(size, rule.max_bytes)
            return FileInput(kind, path.name, _pieces(path), wishes)
    if path.suffix.lower() == ".pdf":
        raise Unusable(f"{path}: {FILES[SourceType.PDF].refusal}")
    _must_fit(size, MAX_DOCUMENT_BYTES)
    return DocumentInput(path.name, path.read_bytes(), wishes)


def _must_fit(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLarge("file", max_bytes)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
