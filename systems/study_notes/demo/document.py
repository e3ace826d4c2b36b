"""The file given to the demo, checked before any work begins."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from systems.study_notes.application.inputs import FILES, MAX_DOCUMENT_BYTES, DocumentInput, FileInput, Wishes
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.lifecycle import SourceType
from systems.study_notes.infrastructure.documents import DocumentKind, document_kind, document_text, pdf_text

_MAX_PDF_BYTES = FILES[SourceType.PDF].max_bytes


class BadFile(Exception):
    """The file cannot be made into notes; the text names it and says why, in one line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A readable document."""

    path: Path
    content: bytes
    kind: DocumentKind
    words: int

    def as_input(self, wishes: Wishes) -> DocumentInput | FileInput:
        """What is handed in."""
        if self.kind is DocumentKind.PDF:
            return FileInput(SourceType.PDF, self.path.name, self._pieces(), wishes)
        return DocumentInput(self.path.name, self.content, wishes)

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield self.content


def read_document(path: Path) -> Document:
    """The document at `path`. Raises `BadFile`. Blocks while it reads."""
    content = _content(path)
    try:
        kind = document_kind(content, path.name)
        most = _MAX_PDF_BYTES if kind is DocumentKind.PDF else MAX_DOCUMENT_BYTES
        if len(content) > most:
            raise BadFile(f"{path}: the file is larger than {most // 2**20} MB")
        text = pdf_text(content) if kind is DocumentKind.PDF else document_text(content, path.name)
    except PermanentSourceError as error:
        raise BadFile(f"{path}: {error.reason}") from error
    if not text:
        raise BadFile(f"{path}: the PDF has no text layer: reading its pages needs a service, see `make`")
    return Document(path, content, kind, len(text.split()))


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise BadFile(f"{path}: is a folder; give one text, Markdown, HTML or PDF file")
        if path.exists() and not path.is_file():
            raise BadFile(f"{path}: is no ordinary file")
        if path.stat().st_size > _MAX_PDF_BYTES:
            raise BadFile(f"{path}: the file is larger than {_MAX_PDF_BYTES // 2**20} MB")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadFile(f"{path}: there is no such file") from error
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror or error})") from error
