"""Programs that read strangers' files."""

import asyncio
import io
from pathlib import Path

import psutil
import pytest
from PIL import Image

from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.infrastructure.apart import apart
from systems.study_notes.infrastructure.documents import Documents
from systems.study_notes.infrastructure.files import StoredFiles
from tests.study_notes.flow.pdfs import mixed_pdf, text_pdf
from tests.study_notes.flow.support import until

BEGIN = "from systems.study_notes.infrastructure.apart import Unreadable, run\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


async def test_a_program_answers_through_a_pipe(programs: Path) -> None:
    (programs / "doubles.py").write_text(f"{BEGIN}run(lambda arguments: b''.join(a.encode() * 2 for a in arguments))")
    assert await apart("it", "doubles", "a", "b c; $d") == b"aab c; $db c; $d"


async def test_a_refusal_is_one_line_and_for_good(programs: Path) -> None:
    (programs / "refuses.py").write_text(f"{BEGIN}def work(_): raise Unreadable('no\\ngood')\nrun(work)")
    with pytest.raises(PermanentSourceError, match=r"^the file is damaged: no good$"):
        await apart("the file", "refuses")


@pytest.mark.parametrize(
    ("how", "code"), [("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "-11"), ("1 / 0", "1")]
)
async def test_a_program_that_breaks_may_be_run_again(programs: Path, how: str, code: str) -> None:
    (programs / "breaks.py").write_text(how)
    with pytest.raises(StageError, match=f"could not be read \\(exit code {code}\\)") as caught:
        await apart("the file", "breaks")
    assert "Traceback" not in caught.value.reason


async def test_it_gets_no_keys_writes_no_file_and_takes_no_more_memory_than_allowed(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", "very-secret")
    (programs / "tries.py").write_text(
        f"""{BEGIN}
import os, pathlib
def work(arguments):
    told = [repr(dict(os.environ))]
    for attempt in (lambda: pathlib.Path(arguments[0]).write_bytes(b"x" * 9), lambda: bytearray(3 * 2**30)):
        try:
            attempt()
        except (OSError, MemoryError) as error:
            told.append(type(error).__name__)
    return "|".join(told).encode()
run(work)
"""
    )
    told = (await apart("it", "tries", str(programs / "written"))).decode()
    assert "very-secret" not in told
    assert told.split("|")[1:] == ["OSError", "MemoryError"]
    assert (programs / "written").stat().st_size == 0


async def test_it_ends_with_whoever_waits_for_it(programs: Path) -> None:
    began = programs / "began"
    (programs / "sleeps.py").write_text(f"import pathlib, time; pathlib.Path({str(began)!r}).touch(); time.sleep(600)")
    waiting = asyncio.create_task(apart("it", "sleeps"))
    await until(began.exists)
    (program,) = [child for child in psutil.Process().children() if "sleeps" in child.cmdline()]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not program.is_running()


async def test_a_page_is_drawn_grey_and_no_larger_than_is_read(tmp_path: Path) -> None:
    documents, path = await _stored(tmp_path, mixed_pdf("A text.", None))
    pages = await documents.pdf_pages(path)
    assert (pages.has_text, pages.scanned) == (True, (1,))
    picture = await documents.pdf_picture(path, 1)
    assert picture.media_type == "image/png"
    with Image.open(io.BytesIO(picture.data)) as drawn:
        assert (drawn.mode, drawn.size) == ("L", (1654, 2339))
        # The black rectangle of the page, from 100 points up, and white beside it.
        assert drawn.getpixel((400, 1700)) == 0
        assert drawn.getpixel((50, 50)) == 255


async def test_a_page_of_a_damaged_pdf_is_refused(tmp_path: Path) -> None:
    documents, path = await _stored(tmp_path, text_pdf("x")[:300])
    with pytest.raises(PermanentSourceError, match="the PDF is damaged"):
        await documents.pdf_picture(path, 0)


async def _stored(folder: Path, content: bytes) -> tuple[Documents, str]:
    async def pieces():
        yield content

    files = StoredFiles(folder / "files")
    return Documents(files), await files.save(pieces(), max_bytes=2**20)
