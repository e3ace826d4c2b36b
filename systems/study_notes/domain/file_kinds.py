"""What an uploaded file is, told by its first bytes: its name and the type that a client states are not trusted."""

import re
from enum import StrEnum

# PDF readers look for the mark in the first 1,024 bytes; the other marks stand at the very beginning.
HEAD_BYTES = 1024
_PDF_MARK = b"%PDF-"
_MPEG_LAYER_3 = 0b01


class Recording(StrEnum):
    """Kinds of recordings that can be cut and transcribed."""

    MP3 = "mp3"
    WAV = "wav"
    M4A = "m4a"
    OGG = "ogg"
    WEBM = "webm"


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins with `head` is a PDF."""
    return _PDF_MARK in head[:HEAD_BYTES]


def picture_type(head: bytes) -> str | None:
    """The media type of a PNG, JPEG or WebP picture, None for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if re.match(rb"RIFF.{4}WEBP", head, re.DOTALL):
        return "image/webp"
    return None


def recording_kind(head: bytes) -> Recording | None:
    """The kind of a recording, None for anything else."""
    if re.match(rb"(?:RIFF|RF64).{4}WAVE", head, re.DOTALL):
        return Recording.WAV
    if head.startswith(b"OggS"):
        return Recording.OGG
    if head[4:8] == b"ftyp":
        return Recording.M4A
    if head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head[:64]:
        return Recording.WEBM
    return Recording.MP3 if head.startswith(b"ID3") or _is_mp3_frame(head) else None


def _is_mp3_frame(head: bytes) -> bool:
    """Eleven set bits, a known version, layer III (ISO/IEC 11172-3, 2.4.1.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 0b11, head[1] >> 1 & 0b11
    return version != 0b01 and layer == _MPEG_LAYER_3 and head[2] >> 4 not in (0b0000, 0b1111)
