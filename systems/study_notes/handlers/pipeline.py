"""What a learner's requests start and stop: rows, jobs and events of a request commit together."""

from typing import Any

from penstock import JobData, NotFound, Transaction
from systems.study_notes.application.cancel_delete import CancelSource, DeleteSource, Stopped
from systems.study_notes.application.inputs import Input
from systems.study_notes.application.retry_source import Restart, Retried, RetrySource
from systems.study_notes.application.submit_source import SubmitSource, Submitted
from systems.study_notes.domain.lifecycle import SourceType
from systems.study_notes.domain.records import Source
from systems.study_notes.handlers.desk import Desk, WritingUnit, tenant_of
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import (
    EXTRACTIONS,
    AssembleNoteJob,
    GenerateStudyToolsJob,
    ProcessVisualPlaceholdersJob,
    text_job,
)

FLOW = "study_notes"


class Pipeline:
    """Submit, retry, cancel, delete. Each run of a source is a flow of its own."""

    def __init__(
        self,
        desk: Desk,
        submitting: SubmitSource,
        retrying: RetrySource,
        cancelling: CancelSource,
        deleting: DeleteSource,
    ) -> None:
        self._desk = desk
        self._submitting = submitting
        self._retrying = retrying
        self._cancelling = cancelling
        self._deleting = deleting

    async def submit(self, given: Input) -> Submitted:
        """Take a source in and start its first run. Raises `InvalidInput`, `TooLarge`, `NotFound` (folder)."""
        new = await self._submitting.prepare(given)
        try:
            async with self._desk.units() as uow:
                submitted = await self._submitting.store(uow, new)
                source = await _found(uow, submitted.source_id)
                async with self._desk.engine.transaction(on=uow.session) as tx:
                    await publish_all(tx, submitted.events)
                    await self._start(uow, tx, source, _first_job(submitted))
                await uow.session.commit()
        except BaseException:
            await self._submitting.discard(new)
            raise
        return submitted

    async def retry(self, user_id: int, source_id: int) -> Retried:
        """Start another run at the stage that failed. Raises `NotFound`, `Conflict`."""
        async with self._desk.units() as uow:
            retried = await self._retrying.retry(uow, user_id, source_id)
            job = _restart_job(retried, await self._earlier_extraction(retried))
            await self._cancel_flow(uow, retried.source, "the source is retried")
            async with self._desk.engine.transaction(on=uow.session) as tx:
                await publish_all(tx, retried.events)
                await self._start(uow, tx, retried.source, job)
            await uow.session.commit()
        return retried

    async def cancel(self, user_id: int, source_id: int) -> Stopped:
        """Stop a source and all its jobs. Raises `NotFound`, `Conflict`."""
        async with self._desk.units() as uow:
            stopped = await self._cancelling.cancel(uow, user_id, source_id)
            await self._stop(uow, stopped, "the learner cancelled the source")
            await uow.session.commit()
        return stopped

    async def delete(self, user_id: int, source_id: int) -> None:
        """Remove a source with everything that came of it. Raises `NotFound`."""
        async with self._desk.units() as uow:
            stopped = await self._deleting.delete(uow, user_id, source_id)
            await self._stop(uow, stopped, "the learner deleted the source")
            await uow.session.commit()
        await self._deleting.remove_files(stopped)

    async def _earlier_extraction(self, retried: Retried) -> str | None:
        """The id of the job that a new extraction goes on from."""
        kind = EXTRACTIONS[retried.source.type].job_kind.kind if retried.restart is Restart.EXTRACTION else None
        if kind is None or retried.source.flow_id is None:
            return None
        try:
            jobs = await self._desk.engine.flows.jobs(retried.source.flow_id)
        except NotFound:
            return None
        return next((job.id for job in jobs if job.kind == kind), None)

    async def _start(self, uow: WritingUnit, tx: Transaction, source: Source, job: JobData) -> None:
        flow = tx.flow(FLOW, tenant=tenant_of(source.user_id))
        options: dict[str, Any] = self._desk.enqueueing.options(job, source)
        await tx.enqueue(job, flow=flow, **options)
        await uow.sources.set_flow(source.id, flow.id, self._desk.clock.now())

    async def _stop(self, uow: WritingUnit, stopped: Stopped, reason: str) -> None:
        await self._cancel_flow(uow, stopped.source, reason)
        await self._desk.tell(uow, stopped.events)

    async def _cancel_flow(self, uow: WritingUnit, source: Source, reason: str) -> None:
        if source.flow_id is None:
            return
        try:
            await self._desk.engine.flows.cancel(source.flow_id, reason=reason, on=uow.session)
        except NotFound:
            # Retention has removed the flow: all its jobs ended long ago.
            return


async def _found(uow: WritingUnit, source_id: int) -> Source:
    source = await uow.sources.get(source_id)
    if source is None:
        raise LookupError(f"source {source_id} is gone within the transaction that made it")
    return source


def _first_job(submitted: Submitted) -> JobData:
    if submitted.type is SourceType.TEXT:
        return text_job(submitted.source_id, submitted.text)
    return EXTRACTIONS[submitted.type](source_id=submitted.source_id)


def _restart_job(retried: Retried, earlier_job: str | None) -> JobData:
    source_id = retried.source.id
    if retried.restart is Restart.EXTRACTION:
        return EXTRACTIONS[retried.source.type].model_validate({"source_id": source_id, "earlier_job": earlier_job})
    if retried.restart is Restart.TEXT:
        return text_job(source_id, None)
    if retried.restart is Restart.PLACEHOLDERS:
        return ProcessVisualPlaceholdersJob(source_id=source_id)
    if retried.restart is Restart.ASSEMBLY or retried.note_id is None:
        return AssembleNoteJob(source_id=source_id)
    return GenerateStudyToolsJob(note_id=retried.note_id)
