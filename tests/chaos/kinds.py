"""The kinds of jobs that the crash suite enqueues, and the handlers that run them."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from penstock import ClaimLost, Event, Fixed, Job, JobData
from tests.chaos.effects import EffectLog, has_a_say, said

QUEUE = "chaos"
ATTEMPTS = 30
"""Of a healthy job: more than any scenario kills."""
RETRY = Fixed(0.05)

ByClaim = dict[str, int]
"""A result: the claim of the run that returned it, and a number."""


class Piece(JobData, kind="piece", queue=QUEUE, max_attempts=ATTEMPTS, retry=RETRY):
    """One of many small jobs. Its number says what it does besides, so that a few of each sort are always there."""

    number: int

    @property
    def fails_once(self) -> bool:
        """Whether its first attempt raises."""
        return self.number % 40 == 7

    @property
    def hands_over(self) -> bool:
        """Whether it ends itself in a transaction, together with a follow-up and an event."""
        return self.number % 10 == 5


class Follow(JobData, kind="follow", queue=QUEUE, max_attempts=ATTEMPTS, retry=RETRY):
    """What a piece hands over to: the job and the claim that enqueued it."""

    of: str
    claim: int


class Collect(JobData, kind="collect", queue=QUEUE, max_attempts=ATTEMPTS, retry=RETRY):
    """The fan-in of a flow over so many pieces."""

    parents: int


class Hold(JobData, kind="hold", queue=QUEUE, max_attempts=ATTEMPTS, retry=RETRY):
    """A long run. It waits for the file `gate` (without one for `seconds`), and is stubborn, or blocks the loop."""

    gate: str = ""
    seconds: float = 3600.0
    stubborn: bool = False
    blocks: bool = False


class Poison(JobData, kind="poison", queue=QUEUE, max_attempts=3, retry=RETRY):
    """Kills its worker each time, after `seconds`."""

    seconds: float = 0.0


class Reported(Event, type="chaos.reported", stream="chaos"):
    """A fact published on behalf of a run."""

    job: str
    claim: int
    ends: bool = False


class Handlers:
    """The handlers of all kinds over one log of side effects."""

    def __init__(self, effects: EffectLog) -> None:
        self._effects = effects

    @property
    def all(self) -> list[Any]:
        """What a worker is given."""
        return [self.piece, self.follow, self.collect, self.hold, self.poison]

    async def piece(self, job: Job[Piece]) -> ByClaim:
        """A little work, with a stream, a report, a failure, a progress or a hand-over here and there."""
        self._note("begin", job)
        number = job.data.number
        for line in said(job.claim_id) if has_a_say(number) else ():
            job.stream("said").write(line)
            await asyncio.sleep(0.002 * (number % 3))
        await asyncio.sleep(0.2 if number % 6 == 1 else 0.002 * (number % 5))
        if number % 25 == 3:
            job.progress(0.5, f"claim {job.claim_id}")
        if number % 30 == 5:
            await job.publish(Reported(job=job.id, claim=job.claim_id), subject=job.id)
        if job.data.fails_once and job.attempt == 1:
            raise ValueError("its first attempt fails")
        self._note("end", job)
        if job.data.hands_over:
            await self._end(job)
        return {"claim": job.claim_id, "number": number}

    async def follow(self, job: Job[Follow]) -> ByClaim:
        """Nothing but being there."""
        self._note("begin", job)
        self._note("end", job)
        return {"claim": job.claim_id, "number": 0}

    async def collect(self, job: Job[Collect]) -> ByClaim:
        """Count the results of its parents."""
        self._note("begin", job)
        results = await job.parent_results()
        self._note("end", job)
        return {"claim": job.claim_id, "number": sum(value is not None for value in results.values())}

    async def hold(self, job: Job[Hold]) -> ByClaim:
        """Wait; whoever is stubborn goes on when told to stop, and writes late."""
        self._note("begin", job)
        if job.data.blocks:
            time.sleep(job.data.seconds)  # noqa: ASYNC251 - the very thing that must not cost the lease
        else:
            await self._wait(job)
        self._note("end", job)
        return {"claim": job.claim_id, "number": 0}

    async def poison(self, job: Job[Poison]) -> None:
        """Die."""
        self._note("begin", job)
        await asyncio.sleep(job.data.seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    async def _wait(self, job: Job[Hold]) -> None:
        gate, until = Path(job.data.gate), time.monotonic() + job.data.seconds
        try:
            while time.monotonic() < until and not (job.data.gate and gate.exists()):
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            if not job.data.stubborn:
                raise
            await self._write_late(job)

    async def _write_late(self, job: Job[Hold]) -> None:
        """Try each way in which a run may write."""
        job.progress(0.9, f"claim {job.claim_id}")
        job.stream("said").write(f"{job.claim_id} late\n")
        for write in (
            job.publish(Reported(job=job.id, claim=job.claim_id)),
            job.enqueue(Follow(of=job.id, claim=job.claim_id)),
            self._end(job),
        ):
            try:
                await write
            except ClaimLost:
                self._note("refused", job)
            else:
                self._note("accepted", job)

    @staticmethod
    async def _end(job: Job[Any]) -> None:
        """End the job together with a follow-up and an event."""
        async with job.transaction() as tx:
            await tx.enqueue(Follow(of=job.id, claim=job.claim_id))
            await tx.publish(Reported(job=job.id, claim=job.claim_id, ends=True), subject=job.id)
            tx.complete({"claim": job.claim_id, "number": 0})

    def _note(self, what: str, job: Job[Any]) -> None:
        self._effects.write(what, job.kind, job.id, job.attempt, job.claim_id)
