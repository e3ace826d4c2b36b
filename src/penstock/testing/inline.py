"""Running one handler at once."""

import asyncio
import secrets
from functools import wraps
from typing import Any

from penstock.app import Penstock
from penstock.domain.job import JobData
from penstock.domain.queue import Queue
from penstock.domain.states import FINAL, JobState
from penstock.domain.steps import Suspended
from penstock.errors import ConfigurationError
from penstock.registry import HandlerEntry, Registry
from penstock.worker import Worker

_GOES_ON = ("concurrency", "sleep", "signal")
"""Why a job waits that has not had its say."""


class _Heard:
    """How a handler ended, as it said it."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.ran = False


async def run_inline(
    engine: Penstock, handlers: list[object] | Registry, data: JobData, *, timeout_s: float = 30.0, **options: Any
) -> Any:
    """Enqueue one job, run its handler now, and answer what the handler returned.

    It goes the real way: enqueued (in a queue of its own, so that nothing comes before it), claimed by a worker and
    settled. It has one attempt. A handler that sleeps or waits for a signal goes on when that has come. What it raised
    is raised, `Retry`, `Snooze` and the like included; the job is then failed or cancelled, not waiting. options: as
    for `Penstock.enqueue`.

        note = await run_inline(engine, [AssembleNoteHandler(notes)], AssembleNote(source_id=7))

    Raises ConfigurationError when no handler is for this kind, and TimeoutError after `timeout_s` seconds.
    """
    registry = handlers if isinstance(handlers, Registry) else Registry(handlers)
    entry = registry.find(data.job_kind.kind)
    if entry is None:
        raise ConfigurationError(f"no handler for kind {data.job_kind.kind!r}; there are {', '.join(registry.kinds)}")
    heard = _Heard()
    queue = f"inline-{secrets.token_hex(4)}"
    worker = Worker(
        engine, [_listening(entry, heard)], queues={queue: Queue(concurrency=1)}, name="inline", handle_signals=False
    )
    await worker.start()
    try:
        handle = await engine.enqueue(data, **{"max_attempts": 1, **options, "queue": queue})
        state = await _settled(engine, handle.id, timeout_s)
    finally:
        await worker.stop(grace_s=0)
    if state not in FINAL:
        await engine.jobs.cancel(handle.id, reason="run_inline does not run it again")
    if heard.error is not None:
        raise heard.error
    if not heard.ran:
        raise RuntimeError(f"the handler was not called: {(await engine.jobs.get(handle.id)).reason}")
    return heard.result


async def _settled(engine: Penstock, job_id: str, timeout_s: float) -> JobState:
    """The first state after the run."""
    try:
        async with asyncio.timeout(timeout_s):
            async for update in engine.watch(job_id):
                if update.state in FINAL or (update.state is JobState.SCHEDULED and update.reason not in _GOES_ON):
                    return update.state
    except TimeoutError:
        raise TimeoutError(f"job {job_id} had not run after {timeout_s:g} s") from None
    raise RuntimeError(f"job {job_id} is gone")


def _listening(entry: HandlerEntry, heard: _Heard) -> Any:
    """A handler that does what the entry's does, and remembers how it ended."""
    call: Any = entry.call

    @wraps(call)
    async def awaiting(job: Any) -> Any:
        heard.ran = True
        try:
            heard.result = await call(job)
        except Suspended:
            raise
        except BaseException as error:
            heard.error = error
            raise
        return heard.result

    @wraps(call)
    def calling(job: Any) -> Any:
        heard.ran = True
        try:
            heard.result = call(job)
        except BaseException as error:
            heard.error = error
            raise
        return heard.result

    listening: Any = awaiting if entry.is_async else calling
    listening.handles = entry.data_type
    return listening
