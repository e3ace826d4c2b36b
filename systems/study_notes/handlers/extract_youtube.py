"""EXTRACT_YOUTUBE."""

from penstock import Job
from systems.study_notes.application.extract_youtube import ExtractYoutube
from systems.study_notes.application.extraction import ExtractedText, StoreText
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.handlers.desk import Desk
from systems.study_notes.handlers.extraction import ExtractionHandler
from systems.study_notes.handlers.jobs import ExtractYoutubeJob


class ExtractYoutubeHandler(ExtractionHandler[ExtractYoutubeJob]):
    """The captions of a video. No step: they cost nothing, and those of a long video are larger than a step may be."""

    handles = ExtractYoutubeJob
    stages = ExtractYoutube.stages

    def __init__(self, desk: Desk, failing: FailSource, storing: StoreText, extract: ExtractYoutube) -> None:
        super().__init__(desk, failing, storing, extract)
        self._video = extract

    async def prepare(self, job: Job[ExtractYoutubeJob]) -> ExtractedText | None:
        """See the base class."""
        return await self._video.prepare(job.data.source_id)
