"""Multipart uploads: one file and a few short fields, with a limit that holds while the bytes arrive."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from systems.common.http.identity import MAX_ID
from systems.study_notes.application.inputs import Wishes
from systems.study_notes.domain.errors import InvalidInput, TooLarge

_CHUNK_BYTES = 256 * 1024
# For boundaries, headers and the other fields beside the file.
_ENVELOPE_BYTES = 64 * 1024
_MAX_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Upload:
    """The file and what was said about it."""

    file: UploadFile
    filename: str
    wishes: Wishes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file in pieces."""
        while piece := await self.file.read(_CHUNK_BYTES):
            yield piece


@asynccontextmanager
async def read_upload(request: Request, user_id: int, max_bytes: int) -> AsyncIterator[Upload]:
    """The upload in `request`, spooled to disk beyond 1 MB and gone afterwards.

    Raises `TooLarge` for more than `max_bytes`, `InvalidInput` when there is no file or a field is wrong.
    """
    form = await _form(request, max_bytes)
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidInput("file", "is missing")
        if (file.size or 0) > max_bytes:
            raise TooLarge("file", max_bytes)
        yield Upload(file, file.filename or "upload", _wishes(form, user_id))
    finally:
        await form.close()


async def _form(request: Request, max_bytes: int) -> FormData:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidInput("file", "must be sent as multipart/form-data")
    parser = MultiPartParser(request.headers, _limited(request, max_bytes), max_files=1, max_fields=_MAX_FIELDS)
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise InvalidInput("file", error.message) from error


async def _limited(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body up to the limit. Somewhat more is read and thrown away, so that the client gets to see the answer."""
    limit, total = max_bytes + _ENVELOPE_BYTES, 0
    async for piece in request.stream():
        total += len(piece)
        if total <= limit:
            yield piece
        elif total > 2 * limit:
            break
    if total > limit:
        raise TooLarge("file", max_bytes)


def _wishes(form: FormData, user_id: int) -> Wishes:
    return Wishes(
        user_id=user_id, title=_text(form, "title"), language=_text(form, "language"), folder_id=_number(form)
    )


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value.strip() or None if isinstance(value, str) else None


def _number(form: FormData) -> int | None:
    text = _text(form, "folder_id")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID):
        raise InvalidInput("folder_id", "must be a whole number")
    return int(text)
