"""Uploaded files, stored below one folder by random names."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterable
from contextlib import suppress
from pathlib import Path

from systems.study_notes.domain.errors import TooLarge

_PART = ".part"
# No upload takes a day.
_FORGOTTEN_S = 86_400.0
_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}")


class StoredFiles:
    """The port `Files` on a folder. Storage paths are relative to it and made here, never a client's file name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def save(self, content: AsyncIterable[bytes], *, max_bytes: int) -> str:
        """See the port. Nothing is left behind on any other error either, cancellation included; of a process that
        is killed only a file with the ending `.part`, which `sweep` takes away."""
        storage_path = _new_name()
        path = self._folder / storage_path
        part = path.with_suffix(_PART)
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        try:
            await self._write(part, content, max_bytes)
            await asyncio.to_thread(part.rename, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return storage_path

    async def sweep(self, older_than_s: float = _FORGOTTEN_S) -> int:
        """Remove the parts of uploads whose process was killed long ago; how many there were."""
        return await asyncio.to_thread(self._sweep, time.time() - older_than_s)

    async def head(self, storage_path: str, size: int) -> bytes:
        """See the port. Raises `FileNotFoundError` when there is no such file, ValueError for a path not made here."""
        return await asyncio.to_thread(self._head, self.path(storage_path), size)

    async def read(self, storage_path: str) -> bytes:
        """The stored bytes. Raises `FileNotFoundError` when there are none, ValueError for a path not made here."""
        return await asyncio.to_thread(self.path(storage_path).read_bytes)

    async def delete(self, storage_path: str) -> None:
        """See the port. Raises ValueError for a path not made here."""
        await asyncio.to_thread(self.path(storage_path).unlink, missing_ok=True)

    def path(self, storage_path: str) -> Path:
        """Where the file lies. Raises ValueError for a path not made here, such as one that leaves the folder."""
        if not _NAME.fullmatch(storage_path):
            raise ValueError(f"not a storage path: {storage_path!r}")
        return self._folder / storage_path

    def _sweep(self, before: float) -> int:
        swept = 0
        for part in self._folder.glob(f"*/*{_PART}"):
            # Another process may be sweeping, or finish its upload just now.
            with suppress(FileNotFoundError):
                if _NAME.fullmatch(f"{part.parent.name}/{part.stem}") and part.stat().st_mtime < before:
                    part.unlink()
                    swept += 1
        return swept

    @staticmethod
    def _head(path: Path, size: int) -> bytes:
        with path.open("rb") as file:
            return file.read(size)

    @staticmethod
    async def _write(path: Path, chunks: AsyncIterable[bytes], max_bytes: int) -> None:
        written = 0
        with await asyncio.to_thread(path.open, "xb") as file:
            async for chunk in chunks:
                written += len(chunk)
                if written > max_bytes:
                    raise TooLarge("file", max_bytes)
                await asyncio.to_thread(file.write, chunk)


def _new_name() -> str:
    name = secrets.token_hex(16)
    return f"{name[:2]}/{name}"
