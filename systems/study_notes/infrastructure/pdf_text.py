"""The text layer of a PDF, read by pdfium; what stands on scanned pages comes from elsewhere."""

import ctypes
import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pypdfium2
import pypdfium2.raw as pdfium

from systems.study_notes.infrastructure.pdf_file import opened_pdf
from systems.study_notes.infrastructure.pdf_layout import BROKEN_WORD, Line, flowing_text

_LINE_BREAKS = (10, 13)
_REPLACED = {2: BROKEN_WORD}  # how older producers mark a hyphen at the end of a line
_SOFT_HYPHEN = "\u00ad"
_HEIGHT_SAMPLES = 5
NOTHING_READ: Mapping[int, str] = MappingProxyType({})


def read_pdf(source: bytes | Path, read: Mapping[int, str] = NOTHING_READ) -> str:
    """Text of a PDF with `#` headings and paragraphs parted by blank lines; empty when it has no text layer.

    `read` has the texts of pages (from 0) that were read otherwise; they stand in their places. Raises
    `PermanentSourceError` when the file is encrypted or damaged. Blocks: call it in a thread.
    """
    with opened_pdf(source) as document:
        pages = [_read_lines(document, index) for index in range(len(document))]
    parts: list[str] = []
    for is_read, run in itertools.groupby(range(len(pages)), key=lambda page: page in read):
        numbers = list(run)
        text = "\n\n".join(read[page] for page in numbers) if is_read else flowing_text([pages[n] for n in numbers])
        parts.append(text.strip())
    return "\n\n".join(part for part in parts if part)


def _read_lines(document: pypdfium2.PdfDocument, index: int) -> list[Line]:
    page = document[index]
    text_page = page.get_textpage()
    try:
        return _lines_of(text_page)
    finally:
        text_page.close()
        page.close()


def _lines_of(text_page: pypdfium2.PdfTextPage) -> list[Line]:
    lines: list[Line] = []
    letters: list[str] = []
    places: list[int] = []  # of the letters that can be seen
    for index, code in enumerate(_codes(text_page)):
        if code not in _LINE_BREAKS:
            letters.append(_sign(code))
            if letters[-1].strip():
                places.append(index)
            continue
        if places:
            lines.append(_measured(text_page, places, _tidy(letters)))
        letters, places = [], []
    return lines


def _codes(text_page: pypdfium2.PdfTextPage) -> Iterator[int]:
    for index in range(text_page.count_chars()):
        yield pdfium.FPDFText_GetUnicode(text_page, index)
    yield _LINE_BREAKS[0]


def _sign(code: int) -> str:
    return _REPLACED.get(code) or (chr(code) if code >= 32 else " ")


def _tidy(letters: list[str]) -> str:
    # Signs beyond the first 65,536 come as two halves: they are put together, and a lone half is replaced.
    text = "".join(letters).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return " ".join(text.replace(_SOFT_HYPHEN, "").split())


def _measured(text_page: pypdfium2.PdfTextPage, places: Sequence[int], text: str) -> Line:
    # A few letters all along the line: its first may be a bullet or a number of another size.
    step = max(1, len(places) // _HEIGHT_SAMPLES)
    height = statistics.median_high(_height(text_page, place) for place in places[step // 2 :: step])
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(text_page, places[0], ctypes.byref(x), ctypes.byref(y))
    return Line(text=text, height=height, x=x.value, y=y.value)


def _height(text_page: pypdfium2.PdfTextPage, place: int) -> float:
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, place, ctypes.byref(box))
    return float(abs(box.top - box.bottom))
