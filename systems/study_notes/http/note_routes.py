"""Routes of notes, their study tools, folders and offline pictures."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field, model_validator

from systems.common.http.identity import MAX_ID, UserNumber
from systems.study_notes.application.library import MAX_FOLDER_NAME, MAX_PAGE, NotePatch, NoteQuery, NoteView
from systems.study_notes.domain.errors import NotFound
from systems.study_notes.domain.lifecycle import VisualStatus
from systems.study_notes.domain.links import own_picture
from systems.study_notes.domain.text import clean, collapse
from systems.study_notes.http.prefix import below_prefix
from systems.study_notes.http.source_routes import With

router = APIRouter(prefix="/api", tags=["notes"])

NoteId = Annotated[int, Path(ge=1, le=MAX_ID)]
FolderId = Annotated[int | None, Query(ge=1, le=MAX_ID)]
# A picture is opened as an image, or as a page of its own: in neither may it run anything or fetch anything.
_PICTURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=3600",
}


class PatchRequest(BaseModel):
    """The fields to change; folder_id null takes the note out of its folder."""

    is_favorite: bool | None = None
    folder_id: int | None = Field(default=None, ge=1, le=MAX_ID)

    @model_validator(mode="after")
    def _favorite_is_yes_or_no(self) -> "PatchRequest":
        if "is_favorite" in self.model_fields_set and self.is_favorite is None:
            raise ValueError("is_favorite must be true or false")
        return self


class FolderRequest(BaseModel):
    """A folder to make; parent_id null is the top."""

    name: str = Field(max_length=MAX_FOLDER_NAME)
    parent_id: int | None = Field(default=None, ge=1, le=MAX_ID)

    @model_validator(mode="after")
    def _tidy(self) -> "FolderRequest":
        self.name = collapse(clean(self.name))
        if not self.name:
            raise ValueError("name must not be blank")
        return self


@router.get("/notes")
async def list_notes(
    request: Request,
    user: UserNumber,
    use: With,
    folder_id: FolderId = None,
    tag: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    offset: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
) -> dict[str, Any]:
    """The user's notes, newest first."""
    query = NoteQuery(folder_id=folder_id, tag=tag, limit=limit, offset=offset)
    page = await use.library.notes(user, query)
    items = [_shown(request, note) for note in page.items]
    return {"items": items, "total": page.total, "limit": limit, "offset": offset}


@router.get("/notes/{note_id}")
async def show_note(note_id: NoteId, request: Request, user: UserNumber, use: With) -> dict[str, Any]:
    """One note with its Markdown and its (harmless) HTML."""
    return _shown(request, await use.library.note(user, note_id))


@router.patch("/notes/{note_id}")
async def change_note(
    note_id: NoteId, body: PatchRequest, request: Request, user: UserNumber, use: With
) -> dict[str, Any]:
    """Mark as favourite, or move to a folder."""
    patch = NotePatch(
        is_favorite=bool(body.is_favorite), folder_id=body.folder_id, given=frozenset(body.model_fields_set)
    )
    return _shown(request, await use.library.change_note(user, note_id, patch))


@router.get("/notes/{note_id}/quiz")
async def show_quiz(note_id: NoteId, user: UserNumber, use: With) -> dict[str, Any]:
    """The questions in order; empty while they are being made."""
    return {"items": [asdict(item) for item in await use.library.quiz(user, note_id)]}


@router.get("/notes/{note_id}/flashcards")
async def show_flashcards(note_id: NoteId, user: UserNumber, use: With) -> dict[str, Any]:
    """The cards in order; empty while they are being made."""
    return {"items": [asdict(item) for item in await use.library.flashcards(user, note_id)]}


@router.get("/folders")
async def list_folders(user: UserNumber, use: With) -> dict[str, Any]:
    """All folders by name."""
    return {"items": [asdict(folder) for folder in await use.library.folders(user)]}


@router.post("/folders", status_code=201)
async def add_folder(body: FolderRequest, user: UserNumber, use: With) -> dict[str, Any]:
    """Make a folder."""
    return asdict(await use.library.add_folder(user, body.name, body.parent_id))


@router.get("/visuals/{visual_id}/image")
async def show_picture(visual_id: NoteId, user: UserNumber, use: With) -> Response:
    """The offline picture of a visual; 404 for one whose picture stands elsewhere or is not there."""
    visual = await use.library.visual(user, visual_id)
    if visual.status is not VisualStatus.COMPLETED or visual.image_url != own_picture(visual.id):
        raise NotFound("picture")
    svg = use.draw(visual.concept, visual.description)
    return Response(svg, media_type="image/svg+xml", headers=_PICTURE_HEADERS)


def _shown(request: Request, note: NoteView) -> dict[str, Any]:
    texts = {name: below_prefix(request, getattr(note, name)) for name in ("markdown_content", "html_content")}
    return asdict(note) | texts
