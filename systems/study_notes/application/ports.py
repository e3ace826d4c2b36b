"""What the use cases need from outside, as far as it is not the database (that is `repositories.py`).

The language model's port is `penstock.ai.LanguageModel`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from systems.study_notes.domain.records import Source
from systems.study_notes.domain.similarity import ImageCandidate

Value = TypeVar("Value")


class Steps(Protocol):
    """Work that is done once, whatever interrupts it: what was done before is remembered by its name."""

    async def step(self, name: str, call: Callable[..., Awaitable[Value]], /, *args: Any) -> Value:
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


class DocumentReader(Protocol):
    """Text out of files."""

    async def document_text(self, content: bytes, filename: str) -> str:
        """Text of a text, Markdown or HTML file (HTML reduced to headings and text).

        Raises `PermanentSourceError` when it is no such file or cannot be read.
        """
        ...

    async def pdf_text(self, storage_path: str) -> str:
        """The text layer of a stored PDF, blank when it has none.

        Raises `PermanentSourceError` when the file is encrypted, damaged or no PDF.
        """
        ...


class Ocr(Protocol):
    """Text out of pictures. Seam for scanned PDFs and image sources; no use case asks for it yet."""

    async def pdf_text(self, storage_path: str) -> str:
        """Text of a stored PDF whose pages are pictures."""
        ...

    async def image_text(self, storage_path: str) -> str:
        """Text of a stored picture."""
        ...


@dataclass(frozen=True, slots=True)
class TimedText:
    """A piece of spoken text with its place in the recording, in seconds."""

    text: str
    start_s: float
    end_s: float


class Captions(Protocol):
    """Captions of a video. Seam for YouTube sources; no use case asks for it yet."""

    async def fetch(self, video_id: str, language: str | None) -> Sequence[TimedText]:
        """The captions in order."""
        ...


class Transcriber(Protocol):
    """Text out of speech. Seam for audio sources; no use case asks for it yet."""

    async def transcribe(self, storage_path: str, language: str | None) -> Sequence[TimedText]:
        """The words of a stored recording in order."""
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
