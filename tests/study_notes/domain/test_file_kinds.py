import pytest

from systems.study_notes.domain.file_kinds import Recording, is_pdf, picture_type, recording_kind
from tests.study_notes.recordings import recording


@pytest.mark.parametrize("kind", list(Recording))
def test_recordings_are_known_by_their_first_bytes(kind: Recording) -> None:
    head = recording(kind, [500], 0.2)[:1024]
    assert recording_kind(head) is kind
    assert not is_pdf(head)
    assert picture_type(head) is None


@pytest.mark.parametrize("head", [b"\xff\xfb\x90\x00", b"\xff\xf3\x40\xc4", b"ID3\x04"])
def test_an_mp3_may_begin_with_a_frame_or_with_tags(head: bytes) -> None:
    assert recording_kind(head) is Recording.MP3


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\n\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a", None),
        (b"<svg xmlns=", None),
        (b"RIFF0000WAVE", None),
        (b"", None),
    ],
)
def test_pictures_are_known_by_their_first_bytes(head: bytes, media_type: str | None) -> None:
    assert picture_type(head) == media_type


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"%PDF-1.7",
        b"\xff\xd8\xff\xe0",
        b"\xff\xff\xff\xff",
        b"\xff\xe9\x90\x00",
        b"\xff\xfd\x90\x00",
        b"RIFF0000AVI ",
        b"\x1a\x45\xdf\xa3\x00matroska",
        b"PK\x03\x04",
        b"fLaC",
    ],
)
def test_anything_else_is_no_recording(head: bytes) -> None:
    assert recording_kind(head) is None


def test_the_mark_of_a_pdf_may_stand_after_some_junk() -> None:
    assert is_pdf(b"junk" * 100 + b"%PDF-1.4")
    assert not is_pdf(b"x" * 1024 + b"%PDF-1.4")
