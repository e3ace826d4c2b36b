"""Documents read into text: what kind a file is, by its content first, and its text or a one-line refusal."""

import asyncio
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path, PurePath

from systems.study_notes.application.ports import PdfPages, Picture
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.file_kinds import HEAD_BYTES, is_pdf
from systems.study_notes.domain.text import has_words
from systems.study_notes.infrastructure.apart import apart
from systems.study_notes.infrastructure.files import StoredFiles
from systems.study_notes.infrastructure.html_text import html_to_text
from systems.study_notes.infrastructure.pdf_file import pages_of
from systems.study_notes.infrastructure.pdf_text import NOTHING_READ, read_pdf
from systems.study_notes.infrastructure.plain_text import NotText, decode

_PAINTER = "systems.study_notes.infrastructure.pdf_painter"
_HTML_START = re.compile(r"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_HTML_TAG = re.compile(r"<(?:p|div|h[1-6]|ul|ol|table|article|section|span|br)\b[^>]*>", re.IGNORECASE)
_BINARY_MARKS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "a ZIP archive or office document",
    b"\xd0\xcf\x11\xe0": "an old office document",
    b"\x1f\x8b": "compressed data",
    b"\x7fELF": "a program",
    b"ID3": "a sound recording",
    b"{\\rtf": "a rich-text document",
}
_READABLE = "a text, Markdown, HTML or PDF file is needed"


class DocumentKind(StrEnum):
    """What a file turned out to be."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    PDF = "pdf"


def document_kind(data: bytes, filename: str) -> DocumentKind:
    """The kind by content; the name only tells text from Markdown, and HTML fragments from text about tags.

    Raises `PermanentSourceError` for an empty file, for binary data and for a `.pdf` that is none.
    """
    if not data.strip():
        raise PermanentSourceError("the file is empty")
    suffix = PurePath(filename).suffix.lower()
    if is_pdf(data):
        return DocumentKind.PDF
    for mark, what in _BINARY_MARKS.items():
        if data.startswith(mark):
            raise PermanentSourceError(f"the file is {what}: {_READABLE}")
    if suffix == ".pdf":
        raise PermanentSourceError("the PDF is damaged: it does not begin like a PDF")
    text = _decoded(data)
    if _HTML_START.match(text) or (suffix in (".html", ".htm", ".xhtml") and _HTML_TAG.search(text)):
        return DocumentKind.HTML
    return DocumentKind.MARKDOWN if suffix in (".md", ".markdown", ".mdown") else DocumentKind.TEXT


class Documents:
    """The port `DocumentReader`: reading happens in threads, beside the event loop."""

    def __init__(self, files: StoredFiles) -> None:
        self._files = files

    async def document_text(self, content: bytes, filename: str) -> str:
        """See the port. One-line refusals: empty, binary, a PDF, no words."""
        return await asyncio.to_thread(document_text, content, filename)

    async def pdf_pages(self, storage_path: str) -> PdfPages:
        """See the port. A file that has gone from the store is a `PermanentSourceError` as well."""
        return await asyncio.to_thread(pages_of, await self._pdf(storage_path))

    async def pdf_text(self, storage_path: str, read: Mapping[int, str] = NOTHING_READ) -> str:
        """See the port."""
        return await asyncio.to_thread(pdf_text, await self._pdf(storage_path), read)

    async def pdf_picture(self, storage_path: str, page: int) -> Picture:
        """See the port."""
        path = await self._pdf(storage_path)
        return Picture(await apart("the PDF", _PAINTER, str(path.absolute()), str(page)), "image/png")

    async def _pdf(self, storage_path: str) -> Path:
        try:
            head = await self._files.head(storage_path, HEAD_BYTES)
        except FileNotFoundError as error:
            raise PermanentSourceError("the uploaded file is gone") from error
        _must_be_pdf(head)
        return self._files.path(storage_path)


def document_text(content: bytes, filename: str) -> str:
    """The text of a text, Markdown or HTML file, stripped and never without a word; HTML becomes Markdown-like text.

    Raises `PermanentSourceError` with one line saying what is wrong. Blocks while it reads.
    """
    kind = document_kind(content, filename)
    if kind is DocumentKind.PDF:
        raise PermanentSourceError("the file is a PDF: hand it in as one")
    text = _decoded(content)
    if kind is DocumentKind.HTML:
        text = html_to_text(text)
    if not has_words(text):
        raise PermanentSourceError("the file has no words")
    return text.strip()


def pdf_text(source: bytes | Path, read: Mapping[int, str] = NOTHING_READ) -> str:
    """The text layer of a PDF as Markdown-like text, with the pages `read` otherwise in their places; empty when there
    are no words.

    Raises `PermanentSourceError` when it is empty, encrypted, damaged or no PDF. Blocks while it reads.
    """
    if isinstance(source, bytes):
        _must_be_pdf(source)
    text = read_pdf(source, read)
    return text if has_words(text) else ""


def _must_be_pdf(head: bytes) -> None:
    if not head.strip():
        raise PermanentSourceError("the file is empty")
    if not is_pdf(head):
        raise PermanentSourceError("the PDF is damaged: it does not begin like a PDF")


def _decoded(data: bytes) -> str:
    try:
        return decode(data)
    except NotText as error:
        raise PermanentSourceError(f"the file is binary ({error}): {_READABLE}") from error
