"""Stored recordings, measured and cut by a program of its own (see `audio_cutter`), without any file in between."""

import asyncio
import os
import sys

from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.file_kinds import HEAD_BYTES, recording_kind
from systems.study_notes.infrastructure.audio_cutter import UNREADABLE
from systems.study_notes.infrastructure.files import StoredFiles

_PROGRAM = "systems.study_notes.infrastructure.audio_cutter"
# What the program needs to start; nothing else of the environment (keys!) goes to where foreign files are read.
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL")
_REASON_CHARS = 200


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
        """What the program writes; it ends with us, however we end."""
        path = self._files.path(storage_path)
        try:
            kind = recording_kind(await self._files.head(storage_path, HEAD_BYTES))
        except FileNotFoundError as error:
            raise PermanentSourceError("the uploaded file is gone") from error
        if kind is None:
            raise PermanentSourceError("the file is no recording that can be read")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _PROGRAM, what, kind, str(path.resolve()), *span,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )  # fmt: skip
        try:
            out, told = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())
        if process.returncode == 0:
            return out
        reason = told.decode(errors="replace").strip().rpartition("\n")[2][:_REASON_CHARS]
        if process.returncode == UNREADABLE:
            raise PermanentSourceError(f"the recording is damaged: {reason}")
        raise StageError(f"the recording could not be cut (exit code {process.returncode}): {reason}")
