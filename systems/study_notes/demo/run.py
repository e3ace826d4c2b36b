"""The demo from the file to the results."""

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from systems.study_notes.application.inputs import Wishes
from systems.study_notes.demo.cost import cost_of
from systems.study_notes.demo.document import Document, read_document
from systems.study_notes.demo.interruption import be_killed_on_the_way, keep_leases_short
from systems.study_notes.demo.results import Results, write_results
from systems.study_notes.demo.settings import offline_settings
from systems.study_notes.demo.summary import print_summary
from systems.study_notes.domain.lifecycle import SourceStatus
from systems.study_notes.making.progress import display_on
from systems.study_notes.making.run import look
from systems.study_notes.making.snapshot import Snapshot
from systems.study_notes.wiring import StudyNotes, build

LEARNER = 1
_LOOK_EVERY_S = 0.05


class DemoFailed(Exception):
    """The source did not end well; the text says at which stage and why."""


async def run_demo(path: Path, folder: Path) -> int:
    """Make study notes of the file at `path`, results into `folder`; the exit code.

    Raises `BadFile` before any work begins, `DemoFailed` when the pipeline ends without a note.
    """
    console = Console(soft_wrap=True)
    document = await asyncio.to_thread(read_document, path)
    work = folder / f"run-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
    console.print(f"{path} ({document.kind}, {document.words:,} words) → study notes\n", highlight=False, markup=False)
    keep_leases_short()
    notes = build(offline_settings(work))
    began = time.monotonic()
    await notes.open()
    try:
        snapshot = await _make(notes, document, console, work)
        seconds = time.monotonic() - began
        results = await _results(notes, snapshot, folder, path)
        cost = await cost_of(notes, snapshot.flow_id)
    finally:
        code = await notes.stop()
    print_summary(console, results, snapshot, seconds, cost, work)
    return code


async def _make(notes: StudyNotes, document: Document, console: Console, work: Path) -> Snapshot:
    submitted = await notes.pipeline.submit(document.as_input(Wishes(user_id=LEARNER)))
    if await be_killed_on_the_way(work):
        console.print("a first worker was killed (kill -9) after the model's first answer; a second one goes on\n")
    await notes.start()
    with display_on(console) as display:
        while True:
            snapshot = await look(notes, LEARNER, submitted.source_id)
            display.show(snapshot)
            if snapshot.is_over:
                return snapshot
            await asyncio.sleep(_LOOK_EVERY_S)


async def _results(notes: StudyNotes, snapshot: Snapshot, folder: Path, path: Path) -> Results:
    if snapshot.note_id is None or snapshot.status is SourceStatus.CANCELLED:
        raise DemoFailed(f"{path}: {snapshot.status} at {snapshot.stage}: {snapshot.error}")
    return await write_results(notes, LEARNER, snapshot.note_id, folder, path.stem)
