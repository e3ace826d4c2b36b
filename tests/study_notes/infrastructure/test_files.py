import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from systems.study_notes.domain.errors import TooLarge
from systems.study_notes.infrastructure.files import StoredFiles


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def stored(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_is_saved_can_be_read_headed_and_deleted(tmp_path: Path) -> None:
    files = StoredFiles(tmp_path / "not" / "there")
    path = await files.save(pieces(b"wa", b"ter"), max_bytes=5)
    assert await files.read(path) == b"water"
    assert await files.head(path, 2) == b"wa"
    assert await files.head(path, 99) == b"water"
    await files.delete(path)
    await files.delete(path)
    assert stored(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        await files.read(path)


async def test_equal_files_are_two_files(tmp_path: Path) -> None:
    files = StoredFiles(tmp_path)
    assert await files.save(pieces(b"a"), max_bytes=1) != await files.save(pieces(b"a"), max_bytes=1)
    assert len(stored(tmp_path)) == 2


async def test_a_file_that_grows_too_large_is_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 1000

    with pytest.raises(TooLarge) as caught:
        await StoredFiles(tmp_path).save(endless(), max_bytes=2500)
    assert (caught.value.field, caught.value.max_bytes) == ("file", 2500)
    assert asked == 3
    assert stored(tmp_path) == []


async def test_a_broken_upload_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await StoredFiles(tmp_path).save(broken(), max_bytes=100)
    assert stored(tmp_path) == []


async def test_a_cancelled_upload_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"some"
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(StoredFiles(tmp_path).save(stalled(), max_bytes=100))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stored(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a.pdf", "", "ab/../" + "0" * 32, "ab/" + "g" * 32]
)
async def test_a_path_not_made_here_is_refused(tmp_path: Path, name: str) -> None:
    files = StoredFiles(tmp_path)
    with pytest.raises(ValueError, match="not a storage path"):
        await files.read(name)
    with pytest.raises(ValueError, match="not a storage path"):
        await files.delete(name)


async def test_what_a_killed_process_left_of_an_upload_is_swept_away_later(tmp_path: Path) -> None:
    files = StoredFiles(tmp_path)
    kept = await files.save(pieces(b"whole"), max_bytes=10)
    (tmp_path / "ab").mkdir(exist_ok=True)
    fresh, old, foreign = (tmp_path / "ab" / f"{name}.part" for name in ("0" * 32, "1" * 32, "somebody's"))
    for part in (fresh, old, foreign):
        part.write_bytes(b"half")
    for part in (old, foreign):
        os.utime(part, (0, 0))
    assert await files.sweep() == 1
    assert [part.exists() for part in (fresh, old, foreign)] == [True, False, True]
    assert await files.read(kept) == b"whole"


async def test_an_upload_has_no_storage_path_before_it_is_whole(tmp_path: Path) -> None:
    seen: list[str] = []

    async def watched() -> AsyncIterator[bytes]:
        yield b"first"
        seen.extend(path.name for path in tmp_path.rglob("*") if path.is_file())
        yield b"last"

    await StoredFiles(tmp_path).save(watched(), max_bytes=10)
    assert [name.endswith(".part") for name in seen] == [True]
