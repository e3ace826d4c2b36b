"""PROCESS_SOURCE_TEXT: the lesson and the tags of a text."""

from collections.abc import Mapping
from dataclasses import dataclass

from systems.study_notes.application.ai_service import AiService, Answerer
from systems.study_notes.application.ports import Clock, LanguageDetector, Steps
from systems.study_notes.application.progress import Entered, enter_stage
from systems.study_notes.application.repositories import Analysis, ReadUnits, UnitOfWork
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.events import StageChanged
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.domain.structure import LessonStructure, title_of

# Enough to tell the language by.
LANGUAGE_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class AnalysedText:
    """What the model made of a source's text; `answered_by` has who answered, by task."""

    source_id: int
    language_code: str
    lesson: LessonStructure
    tags: tuple[str, ...]
    answered_by: Mapping[str, tuple[Answerer, ...]]


@dataclass(frozen=True, slots=True)
class Analysed:
    """The lesson is stored; placeholders come next."""

    source_id: int
    events: tuple[StageChanged, ...]


class ProcessSourceText:
    """`begin` → `prepare` → `store`; each may be done again."""

    stage = Stage.ANALYZING_TEXT

    def __init__(self, reads: ReadUnits, ai: AiService, detect_language: LanguageDetector, clock: Clock) -> None:
        self._reads = reads
        self._ai = ai
        self._detect_language = detect_language
        self._clock = clock

    async def begin(self, uow: UnitOfWork, source_id: int) -> Entered | None:
        """Enter the stage; None when the job has nothing left to do."""
        return await enter_stage(uow, source_id, self.stage, self._clock.now())

    async def prepare(self, source_id: int, text_content: str | None = None, *, steps: Steps) -> AnalysedText | None:
        """Ask the model about `text_content`, or about the source's stored text; None when the source is gone.

        Each piece of the text is a step: what the model has answered is not asked again. Its answer streams under the
        same name. Raises `StageError` or `PermanentSourceError` as `AiService` does.
        """
        async with self._reads() as uow:
            source = await uow.sources.get(source_id)
            text = text_content if text_content is not None else await uow.sources.text(source_id)
        if source is None:
            return None
        if text is None or not text.strip():
            raise PermanentSourceError("the source has no text")
        language = source.language_code or self._detect_language(text[:LANGUAGE_CHARS])
        pieces = self._ai.lesson_structure_chunks(text)
        names = [f"chunk {number} of {len(pieces)}" for number in range(1, len(pieces) + 1)]
        parts = [
            await steps.step(name, self._ai.generate_chunk_structure, piece, language, steps.stream(name))
            for name, piece in zip(names, pieces, strict=True)
        ]
        lesson = self._ai.merge(parts)
        tags = await steps.step("tags", self._ai.generate_tags, text, language, steps.stream("tags"))
        return AnalysedText(
            source_id, language, lesson.value, tuple(tags.value), {"lesson_structure": lesson.by, "tags": tags.by}
        )

    async def store(self, uow: UnitOfWork, analysed: AnalysedText) -> Analysed | None:
        """Keep title, lesson and tags; None when the source is gone, cancelled or already past this."""
        now = self._clock.now()
        entered = await enter_stage(uow, analysed.source_id, Stage.PENDING_VISUAL_PROCESSING, now)
        if entered is None:
            return None
        source = entered.source
        known = await uow.sources.metadata(source.id)
        analysis = Analysis(
            title=source.title or title_of(analysed.lesson, source.filename),
            language_code=analysed.language_code,
            structure=analysed.lesson.as_json(),
            metadata=with_answerers(known, analysed.answered_by) | {"tags": list(analysed.tags)},
        )
        await uow.sources.set_analysis(source.id, analysis, now)
        return Analysed(source.id, entered.events)


def with_answerers(
    metadata: Mapping[str, object], answered_by: Mapping[str, tuple[Answerer, ...]]
) -> dict[str, object]:
    """A source's metadata with who answered which task under `models`."""
    known = dict(metadata)
    models = known.get("models")
    told = {task: [by.as_json() for by in answerers] for task, answerers in answered_by.items()}
    return known | {"models": {**(models if isinstance(models, dict) else {}), **told}}
