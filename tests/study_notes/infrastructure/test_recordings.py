"""Recordings of every kind, measured and cut by the program that does it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.file_kinds import Recording
from systems.study_notes.infrastructure.apart import Unreadable
from systems.study_notes.infrastructure.audio_cutter import length_s
from systems.study_notes.infrastructure.files import StoredFiles
from systems.study_notes.infrastructure.recordings import StoredRecordings
from tests.study_notes.recordings import recording, samples_of, tone_of

TONES = [400, 700, 1000, 1300, 1600]


async def stored(files: StoredFiles, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    return await files.save(pieces(), max_bytes=2**30)


@pytest.fixture
def files(tmp_path: Path) -> StoredFiles:
    return StoredFiles(tmp_path / "files")


@pytest.mark.parametrize("kind", list(Recording))
async def test_pieces_begin_and_end_where_they_should(files: StoredFiles, kind: Recording) -> None:
    path = await stored(files, recording(kind, TONES, 2.0))
    cutter = StoredRecordings(files)
    assert await cutter.length_s(path) == pytest.approx(10.0, abs=0.15)
    pieces = [await cutter.piece(path, 2.0 * number, 2.0) for number in range(5)]
    assert [tone_of(piece) for piece in pieces] == TONES
    assert [len(samples_of(piece)) / 16_000 for piece in pieces] == pytest.approx([2.0] * 5, abs=0.1)
    assert all(piece.startswith(b"fLaC") for piece in pieces)


async def test_pieces_are_found_where_the_rate_changes_and_no_index_helps(files: StoredFiles) -> None:
    plain = {"write_xing": "0", "id3v2_version": "0"}
    parts = [recording("mp3", [400, 700], 4.0, rate, **plain) for rate in (8_000, 128_000, 16_000)]
    path = await stored(files, b"".join(parts))
    cutter = StoredRecordings(files)
    assert await cutter.length_s(path) == pytest.approx(24.0, abs=0.5)
    assert [tone_of(await cutter.piece(path, start, 2.0)) for start in (1.0, 5.0, 9.0, 21.5)] == [400, 700, 400, 700]


async def test_a_piece_beyond_the_end_is_empty(files: StoredFiles) -> None:
    path = await stored(files, recording("wav", [500], 1.0))
    assert len(samples_of(await StoredRecordings(files).piece(path, 5.0, 1.0))) == 0


@pytest.mark.parametrize(
    "content",
    [
        recording("mp3", [500], 1.0)[:60],
        b"RIFF\x00\x00\x00\x00WAVE" + b"\0" * 200,
        b"OggS" + os.urandom(2_000),
        b"\0\0\0\x20ftypM4A " + os.urandom(2_000),
        b"\x1a\x45\xdf\xa3\x9fB\x82\x84webm" + os.urandom(2_000),
        b"ID3\x04\0\0\xff\xff\xff\xff" + b"\0" * 500,
    ],
    ids=["cut short", "wav", "ogg", "m4a", "webm", "mp3"],
)
async def test_what_only_begins_like_a_recording_is_refused_in_one_line(files: StoredFiles, content: bytes) -> None:
    path = await stored(files, content)
    with pytest.raises(PermanentSourceError, match="the recording is damaged: ") as caught:
        await StoredRecordings(files).length_s(path)
    assert "\n" not in caught.value.reason
    assert str(files.path(path).parent) not in caught.value.reason


async def test_a_playlist_that_names_other_files_is_no_recording(files: StoredFiles) -> None:
    path = await stored(files, b"ffconcat version 1.0\nfile /etc/passwd\n")
    with pytest.raises(PermanentSourceError, match="no recording"):
        await StoredRecordings(files).length_s(path)


async def test_a_file_that_has_gone_is_refused(files: StoredFiles) -> None:
    with pytest.raises(PermanentSourceError, match="is gone"):
        await StoredRecordings(files).length_s("00/" + "0" * 32)


def test_a_recording_without_end_is_refused() -> None:
    """A webm may claim any time for its packets."""

    class Packet:
        def __init__(self, pts: int) -> None:
            self.pts, self.duration = pts, 1

    class Stream:
        time_base = 1

    class Streams:
        audio = (Stream(),)

    class Container:
        streams = Streams()

        def demux(self, stream: object) -> list[Packet]:
            return [Packet(0), Packet(360_001)]

    with pytest.raises(Unreadable, match="longer than 100 hours"):
        length_s(cast(Any, Container()))
