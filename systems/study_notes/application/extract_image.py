"""EXTRACT_IMAGE: the text of an uploaded picture."""

from systems.study_notes.application.extraction import ExtractedText, read_source, stored_file
from systems.study_notes.application.ports import Clock, Files, Ocr, Picture, ReadText, Steps
from systems.study_notes.application.progress import Entered, enter_stage
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.file_kinds import picture_type
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.domain.text import clean, has_words


class ExtractImage:
    """`begin` → `prepare`; each may be done again."""

    stages = (Stage.OCR_IMAGE,)

    def __init__(self, reads: ReadUnits, files: Files, ocr: Ocr | None, clock: Clock) -> None:
        """`ocr` None: no provider is configured."""
        self._reads = reads
        self._files = files
        self._ocr = ocr
        self._clock = clock

    async def begin(self, uow: UnitOfWork, source_id: int) -> Entered | None:
        """Enter the stage; None when the job has nothing left to do."""
        return await enter_stage(uow, source_id, Stage.OCR_IMAGE, self._clock.now())

    async def prepare(self, source_id: int, steps: Steps) -> ExtractedText | None:
        """Read the picture, in a step; None when the source is gone.

        Raises `PermanentSourceError` without an OCR provider, for a file that is no picture and for one without words,
        `StageError` when it could not be read this time.
        """
        source = await read_source(self._reads, source_id)
        if source is None:
            return None
        if self._ocr is None:
            raise PermanentSourceError("no OCR provider is configured to read pictures")
        read = await steps.step("picture", self._read, self._ocr, stored_file(source))
        text = clean(read.text).strip()
        if not has_words(text):
            raise PermanentSourceError("the picture has no words that can be read")
        return ExtractedText(source_id, text, {"ocr": {"providers": [read.provider]}})

    async def _read(self, ocr: Ocr, storage_path: str) -> ReadText:
        try:
            data = await self._files.read(storage_path)
        except FileNotFoundError as error:
            raise PermanentSourceError("the uploaded file is gone") from error
        media_type = picture_type(data)
        if media_type is None:
            raise PermanentSourceError("the file is no picture that can be read")
        return await ocr.read(Picture(data, media_type))
