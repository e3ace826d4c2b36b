"""Stored recordings, measured and cut by a program of its own (see `audio_cutter`), without any file in between."""

from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.file_kinds import HEAD_BYTES, recording_kind
from systems.study_notes.infrastructure.apart import apart
from systems.study_notes.infrastructure.files import StoredFiles

_PROGRAM = "systems.study_notes.infrastructure.audio_cutter"


class StoredRecordings:
    """The port `Recordings` on stored files."""

    def __init__(self, files: StoredFiles) -> None:
        self._files = files

    async def length_s(self, storage_path: str) -> float:
        """See the port."""
        return float(await self._cutter("length", storage_path))

    async def piece(self, storage_path: str, start_s: float, length_s: float) -> bytes:
        """See the port."""
        return await self._cutter("piece", storage_path, str(start_s), str(length_s))

    async def _cutter(self, what: str, storage_path: str, *span: str) -> bytes:
        path = self._files.path(storage_path)
        try:
            kind = recording_kind(await self._files.head(storage_path, HEAD_BYTES))
        except FileNotFoundError as error:
            raise PermanentSourceError("the uploaded file is gone") from error
        if kind is None:
            raise PermanentSourceError("the file is no recording that can be read")
        return await apart("the recording", _PROGRAM, what, kind, str(path.absolute()), *span)
