"""What a learner may hand in, and how large it may be."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from systems.study_notes.domain.file_kinds import is_pdf, picture_type, recording_kind
from systems.study_notes.domain.lifecycle import SourceType

MAX_TEXT_CHARS = 2_000_000
MAX_DOCUMENT_BYTES = 10 * 2**20


@dataclass(frozen=True, slots=True)
class FileRule:
    """What a file of one type must be: its size, what its first bytes must satisfy, and how that is said."""

    max_bytes: int
    fits: Callable[[bytes], bool]
    refusal: str


FILES: Mapping[SourceType, FileRule] = MappingProxyType(
    {
        SourceType.PDF: FileRule(50 * 2**20, is_pdf, "is not a PDF"),
        SourceType.IMAGE: FileRule(
            20 * 2**20,
            lambda head: picture_type(head) is not None,
            "is not a picture that can be read: PNG, JPEG or WebP",
        ),
        SourceType.AUDIO: FileRule(
            2**30,
            lambda head: recording_kind(head) is not None,
            "is not a recording that can be read: mp3, wav, m4a, ogg or webm",
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a learner may say about any source; `language` is ISO 639-3."""

    user_id: int
    title: str | None = None
    language: str | None = None
    folder_id: int | None = None


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text, typed or pasted."""

    text: str
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class DocumentInput:
    """The bytes of a text, Markdown or HTML file."""

    filename: str
    content: bytes
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class FileInput:
    """A PDF, a picture or a recording as it arrives; `type` is one of `FILES`."""

    type: SourceType
    filename: str
    content: AsyncIterator[bytes]
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class VideoInput:
    """A link to a video."""

    url: str
    wishes: Wishes


Input = TextInput | DocumentInput | FileInput | VideoInput
