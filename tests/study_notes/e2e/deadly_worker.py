"""A worker that kills its own process with SIGKILL at a given place; started by the tests as a program of its own.

Arguments: database URL, folder, place, kind. Places: `before-commit`, `after-commit` (around the transaction of
PROCESS_VISUAL_PLACEHOLDERS), `during` (inside a job of that kind, once the store knows that it has begun),
`third-chunk` (when the model is asked about the third piece of a long text).
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from penstock import Job
from penstock.ai import ModelChain, ModelRequest
from systems.study_notes.handlers.process_visual_placeholders import ProcessVisualPlaceholdersHandler
from systems.study_notes.wiring import StudyNotes, build
from tests.study_notes.flow.support import FakeModel, fast_settings, lesson, open_search, source_text, until

ATTEMPTS = 2
CHUNK_CHARS = 2_000
PICTURES = ("a wheel", "a stone", "a sack")


def model() -> FakeModel:
    return FakeModel({"lesson_structure": json.dumps(lesson(*PICTURES))})


def dying_at_the_third_chunk() -> FakeModel:
    asked: list[str] = []

    def answer(request: ModelRequest) -> str:
        asked.append(source_text(request))
        if len(asked) == 3:
            die()
        return json.dumps(lesson())

    return FakeModel({"lesson_structure": answer})


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesAfterCommit:
    def __init__(self, inner: Any) -> None:
        self.handles, self._inner = inner.handles, inner

    async def process_job(self, job: Job[Any]) -> None:
        await self._inner.process_job(job)
        die()


class DiesBeforeCommit:
    """Dies when everything is written and buffered, the transaction being open."""

    def __init__(self, inner: Any) -> None:
        self.handles, self._inner = inner.handles, inner
        self._store, inner.store = inner.store, self.store

    async def process_job(self, job: Job[Any]) -> None:
        await self._inner.process_job(job)

    async def store(self, *given: Any) -> None:
        await self._store(*given)
        die()


class DiesWhenKnown:
    """Waits until a heartbeat has told the store that the run has begun: from then on it counts as an attempt."""

    def __init__(self, inner: Any, notes: StudyNotes) -> None:
        self.handles, self._notes = inner.handles, notes

    async def process_job(self, job: Job[Any]) -> None:
        await until(lambda: self._is_known(job.id))
        die()

    async def _is_known(self, job_id: str) -> bool:
        return (await self._notes.engine.get(job_id)).started_at is not None


async def work(url: str, folder: Path, place: str, kind: str) -> None:
    settings = fast_settings(folder, url, job_attempts=ATTEMPTS, chunk_max_chars=CHUNK_CHARS)
    asked = dying_at_the_third_chunk() if place == "third-chunk" else model()
    notes = build(settings, language_model=ModelChain([asked]), image_search=open_search())
    for position, handler in enumerate(notes.handlers):
        if place == "during" and handler.handles.job_kind.kind == kind:
            notes.handlers[position] = DiesWhenKnown(handler, notes)
        elif isinstance(handler, ProcessVisualPlaceholdersHandler) and place == "after-commit":
            notes.handlers[position] = DiesAfterCommit(handler)
        elif isinstance(handler, ProcessVisualPlaceholdersHandler) and place == "before-commit":
            notes.handlers[position] = DiesBeforeCommit(handler)
    await notes.start()
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
