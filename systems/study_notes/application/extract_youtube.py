"""EXTRACT_YOUTUBE: the captions of a video."""

from systems.study_notes.application.extraction import ExtractedText, read_source
from systems.study_notes.application.ports import Captions, Clock
from systems.study_notes.application.progress import Entered, enter_stage
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.domain.spoken import paragraphs
from systems.study_notes.domain.text import clean, has_words
from systems.study_notes.domain.video_links import video_id


class ExtractYoutube:
    """`begin` → `prepare`; each may be done again."""

    stages = (Stage.FETCHING_CAPTIONS,)

    def __init__(self, reads: ReadUnits, captions: Captions, clock: Clock) -> None:
        self._reads = reads
        self._captions = captions
        self._clock = clock

    async def begin(self, uow: UnitOfWork, source_id: int) -> Entered | None:
        """Enter the stage; None when the job has nothing left to do."""
        return await enter_stage(uow, source_id, Stage.FETCHING_CAPTIONS, self._clock.now())

    async def prepare(self, source_id: int) -> ExtractedText | None:
        """Fetch the captions; None when the source is gone.

        Raises `PermanentSourceError` when there are none, `StageError` when they could not be had this time.
        """
        source = await read_source(self._reads, source_id)
        if source is None:
            return None
        video = video_id(source.url or "")
        if video is None:
            raise PermanentSourceError("the source has no link to a video")
        captions = await self._captions.fetch(video, source.language_code)
        text = clean(paragraphs(captions))
        if not has_words(text):
            raise PermanentSourceError("the video's captions have no words")
        return ExtractedText(source_id, text, {"captions": [piece.as_json() for piece in captions]})
