"""The handlers of all kinds with their use cases."""

from typing import Any

from penstock.ai.offline import detect_language
from systems.study_notes.application.ai_service import AiService
from systems.study_notes.application.assemble_note import AssembleNote
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.application.generate_study_tools import GenerateStudyTools
from systems.study_notes.application.generate_visual import GenerateVisual
from systems.study_notes.application.process_source_text import ProcessSourceText
from systems.study_notes.application.process_visual_placeholders import ProcessVisualPlaceholders
from systems.study_notes.application.repositories import ReadUnits
from systems.study_notes.domain.study_tools import Bounds
from systems.study_notes.handlers.assemble_note import AssembleNoteHandler
from systems.study_notes.handlers.desk import Desk
from systems.study_notes.handlers.ended import SourceStageEndedHandler, VisualEndedHandler
from systems.study_notes.handlers.generate_study_tools import GenerateStudyToolsHandler
from systems.study_notes.handlers.generate_visual import GenerateVisualHandler
from systems.study_notes.handlers.process_source_text import ProcessSourceTextHandler
from systems.study_notes.handlers.process_visual_placeholders import ProcessVisualPlaceholdersHandler
from systems.study_notes.infrastructure.image_check import HttpImageCheck
from systems.study_notes.infrastructure.sanitise import sanitise_html
from systems.study_notes.wiring.extractions import make_extractions
from systems.study_notes.wiring.parts import Parts


def make_handlers(parts: Parts, desk: Desk, reads: ReadUnits) -> list[Any]:
    """One handler per kind of job, and those for ends without a handler."""
    clock, failing = parts.clock, FailSource(parts.clock)
    ai = _ai_service(parts)
    generate = _generate_visual(parts, reads)
    tools = _study_tools(parts, reads, ai)
    stages = [
        *make_extractions(parts, desk, reads, failing),
        ProcessSourceTextHandler(desk, failing, ProcessSourceText(reads, ai, detect_language, clock)),
        ProcessVisualPlaceholdersHandler(desk, failing, ProcessVisualPlaceholders(clock)),
        AssembleNoteHandler(desk, failing, AssembleNote(reads, sanitise_html, clock)),
    ]
    stages_of = {handler.handles.job_kind.kind: handler.stages for handler in stages}
    return [
        *stages,
        GenerateVisualHandler(desk, generate),
        GenerateStudyToolsHandler(desk, tools),
        SourceStageEndedHandler(desk, failing, tools, stages_of),
        VisualEndedHandler(desk, generate),
    ]


def _ai_service(parts: Parts) -> AiService:
    settings = parts.settings
    return AiService(parts.model, chunk_max_chars=settings.chunk_max_chars, timeout_s=settings.ai_timeout_ms / 1000)


def _generate_visual(parts: Parts, reads: ReadUnits) -> GenerateVisual:
    settings = parts.settings
    check = HttpImageCheck(blocked_hosts=settings.image_blocked_hosts, allow_private=settings.image_allow_private_hosts)
    return GenerateVisual(
        reads,
        parts.search,
        check,
        parts.clock,
        results=settings.image_results,
        min_score=settings.image_min_score,
    )


def _study_tools(parts: Parts, reads: ReadUnits, ai: AiService) -> GenerateStudyTools:
    settings = parts.settings
    return GenerateStudyTools(
        reads,
        ai,
        parts.clock,
        quiz=Bounds(settings.quiz_min, settings.quiz_max),
        flashcards=Bounds(settings.flashcards_min, settings.flashcards_max),
    )
