"""What the use cases need from outside, as far as it is not the database (that is `repositories.py`).

The language model's port is `penstock.ai.LanguageModel`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from systems.study_notes.domain.records import Source
from systems.study_notes.domain.similarity import ImageCandidate
from systems.study_notes.domain.spoken import TimedText

Value = TypeVar("Value")


class LiveText(Protocol):
    """Text that people may read while it is made."""

    def write(self, text: str, /) -> None:
        """Add to it."""
        ...

    def restart(self, told: object = None, /) -> None:
        """What is written next takes the place of what is there."""
        ...


class Steps(Protocol):
    """Work that is done once, whatever interrupts it: what was done before is remembered by its name."""

    def stream(self, name: str, /) -> LiveText:
        """What is to be read under this name while a step goes on; what is remembered writes nothing again."""
        ...

    def step(self, name: str, call: Callable[..., Awaitable[Value]], /, *args: Any) -> Coroutine[Any, Any, Value]:
        """What `call(*args)` answers, now or when it was done."""
        ...


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> datetime:
        """The present time, aware (UTC)."""
        ...


class LanguageDetector(Protocol):
    """A plain function will do."""

    def __call__(self, text: str, /) -> str:
        """ISO 639-3 code of the language of `text`, `eng` when undecided."""
        ...


class HtmlSanitiser(Protocol):
    """A plain function will do."""

    def __call__(self, html: str, /) -> str:
        """`html` with only harmless elements and attributes left."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's bytes and their MIME type, such as `image/png`."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class PdfPages:
    """What the pages of a PDF hold: whether any has text, and which (from 0) are pictures without text."""

    has_text: bool
    scanned: tuple[int, ...]


class DocumentReader(Protocol):
    """Text out of files."""

    async def document_text(self, content: bytes, filename: str) -> str:
        """Text of a text, Markdown or HTML file (HTML reduced to headings and text).

        Raises `PermanentSourceError` when it is no such file or cannot be read.
        """
        ...

    async def pdf_pages(self, storage_path: str) -> PdfPages:
        """What the pages of a stored PDF hold.

        Raises `PermanentSourceError` when the file is encrypted, damaged or no PDF.
        """
        ...

    async def pdf_text(self, storage_path: str, read: Mapping[int, str]) -> str:
        """The text layer of a stored PDF, with the texts of the pages `read` (from 0) in their places; blank when
        there are no words. Raises as `pdf_pages` does."""
        ...

    async def pdf_picture(self, storage_path: str, page: int) -> Picture:
        """A page (from 0) of a stored PDF as a picture. Raises as `pdf_pages` does."""
        ...


@dataclass(frozen=True, slots=True)
class ReadText:
    """What was read in a picture (Markdown, perhaps blank), and by whom."""

    text: str
    provider: str


class Ocr(Protocol):
    """Text out of pictures."""

    async def read(self, picture: Picture) -> ReadText:
        """The text of one picture.

        Raises `StageError` when asking again may help, `PermanentSourceError` when no provider will ever read it.
        """
        ...


class Captions(Protocol):
    """Captions of a video."""

    async def fetch(self, video: str, language: str | None) -> Sequence[TimedText]:
        """The captions of the video with this id, in order, in the language (ISO 639-3; None: unknown).

        Raises `PermanentSourceError` when there are none, `StageError` when asking again may help.
        """
        ...


class Recordings(Protocol):
    """Stored recordings, cut into pieces that a provider takes."""

    async def length_s(self, storage_path: str) -> float:
        """How long the recording is, in seconds. Raises `PermanentSourceError` when there is no sound to be had."""
        ...

    async def piece(self, storage_path: str, start_s: float, length_s: float) -> bytes:
        """The sound from `start_s` on as FLAC. Raises as `length_s` does."""
        ...


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said in a piece of a recording: running text, the words with their places, and who heard it."""

    text: str
    words: tuple[TimedText, ...]
    provider: str


class Transcriber(Protocol):
    """Text out of speech."""

    async def transcribe(self, audio: bytes, language: str | None) -> Transcript:
        """What is said in a piece (FLAC), its times from the piece's beginning; `language` as in `Captions`.

        Raises `StageError` when asking again may help, `PermanentSourceError` when no provider will ever take it.
        """
        ...


class Files(Protocol):
    """Uploads, kept under names of our own choosing."""

    async def save(self, content: AsyncIterator[bytes], *, max_bytes: int) -> str:
        """Store the bytes and return their storage path. Raises `TooLarge` (field `file`) and leaves nothing behind
        when there are more than `max_bytes`."""
        ...

    async def head(self, storage_path: str, size: int) -> bytes:
        """The first `size` bytes of a stored file, fewer when it is shorter."""
        ...

    async def read(self, storage_path: str) -> bytes:
        """All bytes of a stored file. Raises FileNotFoundError."""
        ...

    async def delete(self, storage_path: str) -> None:
        """Remove a stored file; one that is already gone is no error."""
        ...


class ImageSearch(Protocol):
    """Pictures on the web, or the offline picture where no provider has a key."""

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        """At most `n` candidates in the provider's order; empty when nothing was found.

        Raises `NoImageProvider` when search is switched off, `QuotaExceeded` or `ImageSearchError` when no provider
        could answer.
        """
        ...


class ImageCheck(Protocol):
    """Whether a picture's address may and can be used in a note."""

    async def refusal(self, image_url: str) -> str | None:
        """None when the host is allowed and public and answers with a picture in time, else the reason in words.

        Network trouble is a reason, not an exception.
        """
        ...


class Attempts(Protocol):
    """How often the present job of a source was begun, which only the job engine knows."""

    async def of(self, source: Source) -> int:
        """Attempts of the source's present (or last) job, 0 before its first."""
        ...
