"""A PDF opened by pdfium, and what its pages are: text, or a picture that has to be read."""

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from systems.study_notes.application.ports import PdfPages
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.text import has_words

# pdfium keeps state for the whole process and may be used by one thread at a time only.
_PDFIUM_LOCK = threading.Lock()
_POINTS_AN_INCH = 72
# Print on paper is read well at 200 dots an inch; a page of any size becomes no larger than this (A4 has 2,339 dots).
_DOTS_AN_INCH = 200
_MAX_DOTS = 2_600


@contextmanager
def opened_pdf(source: bytes | Path) -> Iterator[pypdfium2.PdfDocument]:
    """The document, for this thread alone. Raises `PermanentSourceError` when it is encrypted or damaged."""
    with _PDFIUM_LOCK:
        try:
            document = pypdfium2.PdfDocument(source)
        except pypdfium2.PdfiumError as error:
            raise _refusal(error) from error
        try:
            yield document
        except pypdfium2.PdfiumError as error:
            raise _refusal(error) from error
        finally:
            document.close()


def pages_of(source: bytes | Path) -> PdfPages:
    """Which pages have text, and which have none but something drawn. Raises as `opened_pdf` does. Blocks."""
    scanned: list[int] = []
    has_text = False
    with opened_pdf(source) as document:
        for number in range(len(document)):
            page = document[number]
            if has_words(_text(page)):
                has_text = True
            elif next(page.get_objects(max_depth=1), None) is not None:
                scanned.append(number)
            page.close()
    return PdfPages(has_text, tuple(scanned))


def page_picture(source: bytes | Path, number: int) -> bytes:
    """A page (from 0) as a grey PNG. Raises as `opened_pdf` does. Blocks."""
    with opened_pdf(source) as document:
        page = document[number]
        longest = max(1.0, *page.get_size())
        scale = min(_DOTS_AN_INCH / _POINTS_AN_INCH, _MAX_DOTS / longest)
        bitmap = page.render(scale=scale, grayscale=True)
        rows, stride, width, height = bytes(bitmap.buffer), bitmap.stride, bitmap.width, bitmap.height
        bitmap.close()
        page.close()
    return _png([rows[row * stride : row * stride + width] for row in range(height)], width)


def _text(page: pypdfium2.PdfPage) -> str:
    text_page = page.get_textpage()
    try:
        return str(text_page.get_text_range())
    finally:
        text_page.close()


def _refusal(error: pypdfium2.PdfiumError) -> PermanentSourceError:
    if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
        return PermanentSourceError("the PDF is encrypted: save it without a password and hand it in again")
    return PermanentSourceError("the PDF is damaged: it cannot be opened")


def _png(rows: list[bytes], width: int) -> bytes:
    """Eight bits of grey a dot (PNG specification, third edition: signature, IHDR, IDAT, IEND)."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 0, 0, 0, 0)
    # A zero before each row: it is not filtered.
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
