"""ASSEMBLE_NOTE: the note, once every picture is settled."""

import asyncio
from dataclasses import dataclass

from systems.study_notes.application.ports import Clock, HtmlSanitiser
from systems.study_notes.application.progress import enter_stage, facts_of
from systems.study_notes.application.repositories import NoteDraft, ReadUnits, UnitOfWork, VisualResult
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.events import NoteAssembled, StageChanged, VisualFinished
from systems.study_notes.domain.json_answer import texts_of
from systems.study_notes.domain.lifecycle import Stage, VisualStatus
from systems.study_notes.domain.rendering import render
from systems.study_notes.domain.structure import LessonStructure, title_of

# For a picture whose job was lost on its last attempt: what the engine says of it may come after the assembly began.
_LEFT_OVER = VisualResult(VisualStatus.FAILED, error_message="the picture's job ended without a result")


@dataclass(frozen=True, slots=True)
class AssemblyBegun:
    """Every picture is settled now; the source stands at its stage."""

    events: tuple[VisualFinished | StageChanged, ...]


@dataclass(frozen=True, slots=True)
class AssembledNote:
    """A rendered note, not yet written."""

    draft: NoteDraft
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoteStored:
    """The note can be read; its study tools come next."""

    note_id: int
    events: tuple[NoteAssembled | StageChanged, ...]


class AssembleNote:
    """`begin` → `prepare` → `store`; each may be done again."""

    stage = Stage.ASSEMBLING_NOTE

    def __init__(self, reads: ReadUnits, sanitise: HtmlSanitiser, clock: Clock) -> None:
        self._reads = reads
        self._sanitise = sanitise
        self._clock = clock

    async def begin(self, uow: UnitOfWork, source_id: int) -> AssemblyBegun | None:
        """Enter the stage, all picture jobs having ended; None when the job has nothing left to do.

        A picture that its job left unfinished is FAILED from here on.
        """
        now = self._clock.now()
        entered = await enter_stage(uow, source_id, self.stage, now)
        if entered is None:
            return None
        told = [
            VisualFinished(**await facts_of(uow, entered.source, now), visual_id=visual.id)
            for visual in await uow.visuals.of_source(source_id)
            if not visual.status.is_finished and await uow.visuals.finish(visual.id, _LEFT_OVER, now)
        ]
        return AssemblyBegun((*told, *entered.events))

    async def prepare(self, source_id: int) -> AssembledNote | None:
        """Render lesson and pictures; None when the source is gone.

        Raises `PermanentSourceError` when there is no lesson or its language is unknown.
        """
        async with self._reads() as uow:
            source = await uow.sources.get(source_id)
            stored = await uow.sources.structure(source_id)
            visuals = await uow.visuals.of_source(source_id)
            known = await uow.sources.metadata(source_id)
        if source is None:
            return None
        if stored is None or source.language_code is None:
            raise PermanentSourceError("the source has no lesson to make a note of")
        lesson = LessonStructure.model_validate(stored)
        title = source.title or title_of(lesson, source.filename)
        # In a thread: a book takes long enough to hold up the other jobs of the worker.
        rendered = await asyncio.to_thread(render, title, lesson, visuals, source.language_code)
        html = await asyncio.to_thread(self._sanitise, rendered.html)
        draft = NoteDraft(
            source_id=source.id,
            user_id=source.user_id,
            folder_id=source.folder_id,
            source_type=source.type,
            title=title,
            summary=lesson.summary,
            markdown_content=rendered.markdown,
            html_content=html,
            language_code=source.language_code,
        )
        return AssembledNote(draft, texts_of(known.get("tags")))

    async def store(self, uow: UnitOfWork, assembled: AssembledNote) -> NoteStored | None:
        """Insert or update the note and its tags; None when the source is gone, cancelled or already past this."""
        now = self._clock.now()
        draft = assembled.draft
        entered = await enter_stage(uow, draft.source_id, Stage.PENDING_STUDY_TOOLS, now)
        if entered is None:
            return None
        note_id = await uow.notes.save(draft, now)
        await uow.notes.set_tags(note_id, draft.user_id, assembled.tags)
        told = NoteAssembled(**await facts_of(uow, entered.source, now), note_id=note_id)
        return NoteStored(note_id, (told, *entered.events))
