"""An engine of a test's own."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from penstock.app import Penstock
from penstock.clock import Clock
from penstock.store.sqlite import SqliteStore


@asynccontextmanager
async def temporary_engine(*, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Penstock]:
    """An open engine over an empty SQLite file in a temporary folder, which goes with it.

    clock: usually a `MovableClock`. settings: as for `Penstock`. The file need not survive a power cut, so it is
    written with `synchronous=NORMAL`.

        async with temporary_engine(clock=MovableClock()) as engine:
            await engine.enqueue(SendMail(to="ada@example.org"))
    """
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="penstock-", ignore_cleanup_errors=True)
    try:
        store = SqliteStore(Path(folder.name) / "penstock.db", clock=clock, synchronous="NORMAL")
        async with Penstock(store=store, **settings) as engine:
            yield engine
    finally:
        await asyncio.to_thread(folder.cleanup)
