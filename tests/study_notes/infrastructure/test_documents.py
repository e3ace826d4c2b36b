from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.infrastructure.documents import DocumentKind, Documents, document_kind, document_text
from systems.study_notes.infrastructure.files import StoredFiles

UMLAUTS = "Die Mühle mahlt – täglich, süß & schön."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_is_read_in_its_encoding(encoding: str) -> None:
    assert document_text(UMLAUTS.encode(encoding), "mill.txt") == UMLAUTS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_tells_both_orders(encoding: str) -> None:
    assert document_text(("\ufeff" + UMLAUTS).encode(encoding), "mill.txt") == UMLAUTS


def test_latin_1_is_the_last_resort() -> None:
    assert document_text(b"caf\xe9 \x81 bar", "a.txt") == "caf\xe9 \x81 bar"


def test_line_ends_become_plain_and_control_signs_go() -> None:
    assert document_text(b"one\r\ntwo\rthree\x7f\n", "a.txt") == "one\ntwo\nthree"


@pytest.mark.parametrize(
    ("content", "filename", "kind"),
    [
        (b"%PDF-1.7\n...", "paper.txt", DocumentKind.PDF),
        (b"junk\n%PDF-1.7\n...", "paper.pdf", DocumentKind.PDF),
        (b"<!DOCTYPE html><p>x", "page", DocumentKind.HTML),
        (b"\xef\xbb\xbf\n <!-- c --> <HTML lang=en><p>x", "page.txt", DocumentKind.HTML),
        (b'<?xml version="1.0"?><html><p>x', "page.txt", DocumentKind.HTML),
        (b"<p>only a fragment</p>", "part.html", DocumentKind.HTML),
        (b"<p>only a fragment</p>", "part.txt", DocumentKind.TEXT),
        (b"no tags at all", "part.html", DocumentKind.TEXT),
        (b"# Title", "READ.MD", DocumentKind.MARKDOWN),
        (b"# Title", "notes", DocumentKind.TEXT),
    ],
)
def test_the_kind_is_told_by_the_content_first(content: bytes, filename: str, kind: DocumentKind) -> None:
    assert document_kind(content, filename) is kind


@pytest.mark.parametrize(
    ("content", "filename", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b" \r\n\t ", "a.md", "empty"),
        (b"\x89PNG\r\n\x1a\n....", "a.txt", "a PNG image"),
        (b"PK\x03\x04....", "a.docx", "a ZIP archive or office document"),
        (bytes(range(256)) * 4, "a.txt", "binary"),
        (b"text with a \0 in it", "a.txt", "binary"),
        (b"\xff\xfe\x00\xd8", "a.txt", "binary"),
        (b"--- ... !!! ---", "a.txt", "no words"),
        (b"<html><script>let words</script></html>", "a.html", "no words"),
        (b"%PDF-1.7", "a.txt", "is a PDF"),
        (b"no pdf at all", "a.pdf", "damaged"),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_clear_line(content: bytes, filename: str, reason: str) -> None:
    with pytest.raises(PermanentSourceError, match=reason) as caught:
        document_text(content, filename)
    assert "\n" not in caught.value.reason
    assert len(caught.value.reason) < 120


async def test_documents_are_read_beside_the_loop(tmp_path: Path) -> None:
    documents = Documents(StoredFiles(tmp_path))
    assert await documents.document_text(b"<html><h1>Mill</h1><p>Water", "a.html") == "# Mill\n\nWater"


async def test_a_stored_pdf_that_has_gone_is_said_so(tmp_path: Path) -> None:
    files = StoredFiles(tmp_path)

    async def content() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"

    path = await files.save(content(), max_bytes=100)
    await files.delete(path)
    with pytest.raises(PermanentSourceError, match="gone"):
        await Documents(files).pdf_text(path)


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"hello", "does not begin like a PDF")])
async def test_a_stored_file_that_is_no_pdf_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    files = StoredFiles(tmp_path)

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    path = await files.save(chunks(), max_bytes=100)
    with pytest.raises(PermanentSourceError, match=reason):
        await Documents(files).pdf_text(path)
