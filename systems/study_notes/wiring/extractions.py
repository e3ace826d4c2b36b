"""The handlers that make a text of what is none."""

from typing import Any

from systems.study_notes.application.extract_image import ExtractImage
from systems.study_notes.application.extract_pdf import ExtractPdf
from systems.study_notes.application.extract_youtube import ExtractYoutube
from systems.study_notes.application.extraction import StoreText
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.application.repositories import ReadUnits
from systems.study_notes.application.transcribe_audio import TranscribeAudio
from systems.study_notes.handlers.desk import Desk
from systems.study_notes.handlers.extract_image import ExtractImageHandler
from systems.study_notes.handlers.extract_pdf import ExtractPdfHandler
from systems.study_notes.handlers.extract_youtube import ExtractYoutubeHandler
from systems.study_notes.handlers.source_stage import SourceStageHandler
from systems.study_notes.handlers.transcribe_audio import TranscribeAudioHandler
from systems.study_notes.infrastructure.documents import Documents
from systems.study_notes.infrastructure.recordings import StoredRecordings
from systems.study_notes.wiring.parts import Parts


def make_extractions(
    parts: Parts, desk: Desk, reads: ReadUnits, failing: FailSource
) -> list[SourceStageHandler[Any, Any]]:
    """A handler for each type of source that is no text."""
    clock, documents, settings = parts.clock, Documents(parts.files), parts.settings
    storing = StoreText(clock)
    transcribe = TranscribeAudio(
        reads,
        StoredRecordings(parts.files),
        parts.transcriber,
        clock,
        chunk_s=settings.audio_chunk_s,
        at_once=settings.audio_parallel,
    )
    return [
        ExtractYoutubeHandler(desk, failing, storing, ExtractYoutube(reads, parts.captions, clock)),
        ExtractPdfHandler(desk, failing, storing, ExtractPdf(reads, documents, parts.ocr, clock)),
        ExtractImageHandler(desk, failing, storing, ExtractImage(reads, parts.files, parts.ocr, clock)),
        TranscribeAudioHandler(desk, failing, storing, transcribe),
    ]
