"""Routes of sources: hand in, look, retry, cancel, delete."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field

from systems.common.http.identity import MAX_ID, UserNumber
from systems.study_notes.application.inputs import (
    FILES,
    MAX_DOCUMENT_BYTES,
    DocumentInput,
    FileInput,
    TextInput,
    VideoInput,
    Wishes,
)
from systems.study_notes.application.submit_source import Submitted
from systems.study_notes.domain.lifecycle import SourceType
from systems.study_notes.http.prefix import picture_below_prefix
from systems.study_notes.http.services import Services, services
from systems.study_notes.http.uploads import read_upload

router = APIRouter(prefix="/api/sources", tags=["sources"])

With = Annotated[Services, Depends(services)]
SourceId = Annotated[int, Path(ge=1, le=MAX_ID)]


class TextRequest(BaseModel):
    """A text to make a note of; `language` is ISO 639-3."""

    text: str
    title: str | None = Field(default=None, max_length=500)
    language: str | None = None
    folder_id: int | None = Field(default=None, ge=1, le=MAX_ID)


class VideoRequest(BaseModel):
    """A video to make a note of; `language` is ISO 639-3."""

    url: str
    language: str | None = None
    folder_id: int | None = Field(default=None, ge=1, le=MAX_ID)


class Accepted(BaseModel):
    """The source is stored and its first job is waiting."""

    source_id: int
    status: str


@router.post("/text", status_code=202)
async def submit_text(body: TextRequest, user: UserNumber, use: With) -> Accepted:
    """Hand in a text."""
    wishes = Wishes(user_id=user, title=body.title, language=body.language, folder_id=body.folder_id)
    return _accepted(await use.intake.submit(TextInput(body.text, wishes)))


@router.post("/document", status_code=202)
async def submit_document(request: Request, user: UserNumber, use: With) -> Accepted:
    """Hand in a text, Markdown or HTML file: multipart `file`, and title, language, folder_id if wanted."""
    async with read_upload(request, user, MAX_DOCUMENT_BYTES) as upload:
        content = await upload.file.read()
        return _accepted(await use.intake.submit(DocumentInput(upload.filename, content, upload.wishes)))


@router.post("/youtube", status_code=202)
async def submit_video(body: VideoRequest, user: UserNumber, use: With) -> Accepted:
    """Hand in a link to a YouTube video."""
    wishes = Wishes(user_id=user, language=body.language, folder_id=body.folder_id)
    return _accepted(await use.intake.submit(VideoInput(body.url, wishes)))


@router.post("/pdf", status_code=202)
async def submit_pdf(request: Request, user: UserNumber, use: With) -> Accepted:
    """Hand in a PDF: multipart `file`, and title, language, folder_id if wanted."""
    return await _submit_file(request, user, use, SourceType.PDF)


@router.post("/image", status_code=202)
async def submit_picture(request: Request, user: UserNumber, use: With) -> Accepted:
    """Hand in a picture of a page (PNG, JPEG, WebP); fields as for a PDF."""
    return await _submit_file(request, user, use, SourceType.IMAGE)


@router.post("/audio", status_code=202)
async def submit_recording(request: Request, user: UserNumber, use: With) -> Accepted:
    """Hand in a recording (mp3, wav, m4a, ogg, webm); fields as for a PDF."""
    return await _submit_file(request, user, use, SourceType.AUDIO)


@router.get("/{source_id}/status")
async def show_status(source_id: SourceId, user: UserNumber, use: With) -> dict[str, Any]:
    """How the source stands."""
    async with use.reads() as uow:
        return asdict(await use.status.show(uow, user, source_id))


@router.get("/{source_id}/visuals")
async def list_visuals(source_id: SourceId, request: Request, user: UserNumber, use: With) -> dict[str, Any]:
    """The pictures of the source with all their fields."""
    found = await use.library.visuals(user, source_id)
    return {
        "items": [
            asdict(view.visual)
            | {
                "image_url": picture_below_prefix(request, view.visual.image_url),
                "created_at": view.created_at,
                "updated_at": view.updated_at,
            }
            for view in found
        ]
    }


@router.post("/{source_id}/retry", status_code=202)
async def retry_source(source_id: SourceId, user: UserNumber, use: With) -> Accepted:
    """Start another run at the stage that failed."""
    retried = await use.intake.retry(user, source_id)
    return Accepted(source_id=source_id, status=retried.source.status)


@router.post("/{source_id}/cancel", status_code=202)
async def cancel_source(source_id: SourceId, user: UserNumber, use: With) -> Accepted:
    """Stop the source and its jobs."""
    await use.intake.cancel(user, source_id)
    return Accepted(source_id=source_id, status="CANCELLED")


@router.delete("/{source_id}", status_code=204)
async def delete_source(source_id: SourceId, user: UserNumber, use: With) -> Response:
    """Remove the source with its note, pictures and files."""
    await use.intake.delete(user, source_id)
    return Response(status_code=204)


async def _submit_file(request: Request, user: int, use: Services, kind: SourceType) -> Accepted:
    async with read_upload(request, user, FILES[kind].max_bytes) as upload:
        given = FileInput(kind, upload.filename, upload.chunks(), upload.wishes)
        return _accepted(await use.intake.submit(given))


def _accepted(submitted: Submitted) -> Accepted:
    return Accepted(source_id=submitted.source_id, status=submitted.status)
