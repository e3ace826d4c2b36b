"""The fetcher: one loop that claims for all queues of a process and feeds the executor."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from penstock.domain.claimed import ClaimedJob
from penstock.errors import StoreUnavailable
from penstock.ledger.pressure import Pressure, Waiting
from penstock.store.base import Store, Topics
from penstock.store.program import Topic
from penstock.store.programs.claim import Claimed, HeldKind, fall_due, solo_waiting
from penstock.store.programs.workers import cancels_of_worker
from penstock.worker.claims import Claims
from penstock.worker.executor import Executor
from penstock.worker.feed import STALE_S, Feed
from penstock.worker.pacing import Backoff, jittered
from penstock.worker.rotation import Rotation
from penstock.worker.run import Run
from penstock.worker.service import OnFailure, Service
from penstock.worker.solo import SoloTurn

MAX_BATCH = 1_000
DUE_S = 1.0
"""How often scheduled jobs are looked at; besides, when the next one is known to be due."""
_HELD_BACK_S = 0.25
_SOONEST_S = 0.002
"""Never spin: what is due at once is looked at after this."""


@dataclass(frozen=True, slots=True)
class Backs:
    """What the fetcher hands back, and what it must ask: both by callables, so that it knows no other service.

    release: a claimed job that this process will not start, with the reason; cancelled: one cancelled before it
    started; may_claim: whether claims are allowed now.
    """

    release: Callable[[ClaimedJob, str], None]
    cancelled: Callable[[ClaimedJob, str], None]
    may_claim: Callable[[], bool]


class Fetcher(Service):
    """Claims in batches for free slots and a little ahead, lets scheduled jobs fall due, hears wake-ups and cancels."""

    def __init__(
        self,
        store: Store,
        feeds: Sequence[Feed],
        executor: Executor,
        backs: Backs,
        claims: Claims,
        pressure: Pressure,
        on_failure: OnFailure,
        *,
        prefetch: int,
    ) -> None:
        super().__init__("fetcher", on_failure)
        self._store = store
        self.feeds = {feed.name: feed for feed in feeds}
        self._topics = {Topic.queue(feed.name): (feed, False) for feed in feeds}
        self._topics |= {Topic.tail(feed.name): (feed, True) for feed in feeds}
        self._rotation = Rotation({feed.name: feed.settings.weight for feed in feeds})
        self._executor = executor
        self._backs = backs
        self._claims = claims
        self._pressure = pressure
        self._prefetch = prefetch
        self._solo = SoloTurn(self)
        self._wake = asyncio.Event()
        self._due_at = 0.0
        self._see_cancels = False
        self._cancelled: set[str] = set()
        self.closing = False

    async def start(self) -> None:
        """Listen and begin to claim."""
        self._loop = asyncio.get_running_loop()
        self._subscription = self._store.subscribe(self._on_wake)
        self._deafen = self._pressure.listen(self._on_room)
        self._task = self.hold(self._live())

    async def stop(self, patience_s: float = 5.0) -> None:
        """Claim no more, let a claim that is under way come in, give back what has not started."""
        self.closing = True
        self._subscription.close()
        self._deafen()
        self._wake.set()
        self._solo.freed()
        await asyncio.wait([self._task], timeout=patience_s)
        await super().stop()
        self.drop_buffers("the worker stops")

    @property
    def is_empty(self) -> bool:
        """Whether the process runs no handler."""
        return self._executor.busy == 0

    @property
    def prefetched(self) -> int:
        """How many claimed jobs wait inside the process."""
        return sum(len(feed.buffer) for feed in self.feeds.values())

    def holds(self, job_id: str, claim_id: int) -> bool:
        """Whether this claimed job waits inside the process, or its claim is under way."""
        if claim_id in self._claims.under_way:
            return True
        return any(job.id == job_id and job.claim_id == claim_id for feed in self.feeds.values() for job in feed.buffer)

    def drop_buffers(self, reason: str) -> None:
        """Give back everything that has not started."""
        for feed in self.feeds.values():
            for job in feed.empty():
                self._backs.release(job, reason)

    def look(self, queues: Collection[str] | None = None) -> None:
        """There may be work in these queues (None: in all), or claims may be allowed again."""
        for feed in self.feeds.values():
            if queues is None or feed.name in queues:
                feed.wake()
        self._wake.set()

    def go_on(self) -> None:
        """Claims are allowed again; there is nothing new to look for."""
        self._wake.set()

    def on_settled(self, queues: Collection[str], due_at: int | None = None) -> None:
        """Runs of these queues are settled, so a total that counts rows has room; the first is due again then (µs)."""
        if due_at is not None:
            wait = max(_SOONEST_S, (due_at - self._store.clock.now()) / 1_000_000)
            if wait < DUE_S:
                self._due_at = min(self._due_at, self._loop.time() + wait)
                self._wake.set()
        for name in queues:
            feed = self.feeds.get(name)
            if feed is not None and feed.settings.gated:
                feed.due = True
                self._wake.set()

    def on_free(self, run: Run, seconds: float) -> None:
        """A slot is free: take the next job of its queue, and look for more when the buffer runs low."""
        feed = self.feeds[run.claimed.queue]
        feed.learn(seconds)
        if feed.buffer:
            self._feed(feed)
        self._solo.freed()
        if feed.due and len(feed.buffer) <= feed.low and not self._wake.is_set() and self._wanted(feed):
            self._wake.set()

    def cancel(self, job_id: str, reason: str) -> None:
        """Stop the run of this job, or the job before it starts, or as soon as the claim under way brings it."""
        if self._executor.cancel(job_id, reason):
            return
        for feed in self.feeds.values():
            job = feed.remove(job_id)
            if job is not None:
                self._backs.cancelled(job, reason)
                return
        if self._claims.under_way:
            self._cancelled.add(job_id)

    def _on_room(self) -> None:
        """Model calls that waited have gone."""
        for feed in self.feeds.values():
            feed.due = True
        self._wake.set()

    def _on_wake(self, topics: Topics) -> None:
        if not topics:
            self._see_cancels = True
            self.look()
            return
        for topic in topics:
            found = self._topics.get(topic)
            if found is not None:
                feed, tail = found
                feed.wake(tail=tail)
                self._wake.set()
            elif topic.startswith("c:"):
                self.cancel(topic[2:], "its cancel was requested")

    async def _live(self) -> None:
        backoff = Backoff()
        while not self.closing:
            self._wake.clear()
            try:
                again = await self._turn()
            except StoreUnavailable as error:
                self._claims.outage.began(error)
                await self.pause(backoff.next())
                continue
            backoff.reset()
            if not again and not self.closing:
                await self.pause(self._patience())

    async def _turn(self) -> bool:
        """Everything that is due now, and one claim; answers whether to go on at once."""
        now = self._loop.time()
        for feed in self.feeds.values():
            feed.tick(now)
            for job in feed.give_back_stale(now):
                self._backs.release(job, "claimed ahead, but not started in time")
        if now >= self._due_at:
            await self._fall_due()
        if self._see_cancels:
            self._see_cancels = False
            await self._fetch_cancels()
        if not self._backs.may_claim():
            return False
        await self._solo.take_if_due(now)
        return await self._claim_one()

    async def _fall_due(self) -> None:
        now = self._store.clock.now()
        self._due_at = self._loop.time() + jittered(DUE_S)
        upcoming = await self._claims.write(fall_due(now))
        if upcoming is not None:
            wait = max(_SOONEST_S, (upcoming - now) / 1_000_000)
            self._due_at = min(self._due_at, self._loop.time() + wait)

    async def _fetch_cancels(self) -> None:
        try:
            found = await self._store.read(cancels_of_worker(self._claims.worker_id()))
        except StoreUnavailable:
            self._see_cancels = True
            raise
        for job_id in found:
            self.cancel(job_id, "its cancel was requested")

    async def _claim_one(self) -> bool:
        """One claim for the queue whose turn it is; False when no queue wants one."""
        candidates = [feed.name for feed in self.feeds.values() if feed.due and self._wanted(feed)]
        if not candidates or self.closing:
            return False
        feed = self.feeds[self._rotation.pick(candidates)]
        wanted = min(self._wanted(feed), MAX_BATCH)
        tight = [kind for kind in self._pressure.tight() if kind in self._claims.kinds]
        if tight:
            await self._claim_around(feed, wanted, tight)
        else:
            self._take(feed, await self.claim(feed, wanted))
        return True

    async def _claim_around(self, feed: Feed, wanted: int, tight: Sequence[str]) -> None:
        """Claim what no limit keeps, and of kinds whose model calls wait only as many as are soon let through."""
        claimed = await self.claim(feed, wanted, held=[HeldKind(kind, whole=True) for kind in tight])
        self._take(feed, claimed)
        plan = self._pressure.plan()
        most = min(wanted - len(claimed.jobs), plan.most)
        if most > 0:
            claimed = await self.claim(feed, most, only=tight, held=[HeldKind(*who) for who in plan.held])
            self._pressure.comes(Waiting(job.kind, job.tenant) for job in claimed.jobs)
            self._take(feed, claimed)
        feed.look_at = min(feed.look_at, self._loop.time() + self._pressure.look_in())

    def _take(self, feed: Feed, claimed: Claimed) -> None:
        feed.take(claimed, self._loop.time(), self._store.clock.now())
        self._drop_cancelled(feed)
        self._feed(feed)

    async def claim(
        self, feed: Feed, limit: int, *, solo: bool = False, only: Sequence[str] = (), held: Sequence[HeldKind] = ()
    ) -> Claimed:
        """Claim from one queue, as `Claims.claim`."""
        claimed = await self._claims.claim(feed, limit, solo=solo, only=only, held=held)
        for job in claimed.stopped:
            self._backs.cancelled(job, "its cancel was requested")
        return claimed

    async def has_solo(self, feed: Feed) -> bool:
        """Whether a job that has to be claimed alone is ready in this queue."""
        return await self._store.read(solo_waiting(feed.name))

    async def pause(self, seconds: float) -> None:
        """Wait for a wake-up, at most so long."""
        timer = self._loop.call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _drop_cancelled(self, feed: Feed) -> None:
        """Cancels that were heard while their claim was under way."""
        if self._cancelled:
            cancelled, self._cancelled = self._cancelled, set()
            for job_id in cancelled:
                job = feed.remove(job_id)
                if job is not None:
                    self._backs.cancelled(job, "its cancel was requested")

    def _feed(self, feed: Feed) -> None:
        """Start what the buffer holds and the slots take."""
        if self.closing:
            return
        taken, size = self._executor.slots_taken(feed.name), feed.settings.concurrency
        while feed.buffer and taken < size:
            self.start_job(feed, feed.buffer.popleft())
            taken += 1
            feed.moved_at = self._loop.time()

    def start_job(self, feed: Feed, job: ClaimedJob, *, solo: bool = False) -> None:
        """Hand a job to the executor."""
        feed.counts.started += 1
        self._executor.execute(job, solo=solo)

    def _wanted(self, feed: Feed) -> int:
        others = self.prefetched - len(feed.buffer)
        return feed.wanted(self._executor.slots_taken(feed.name), max(0, self._prefetch - others))

    def _patience(self) -> float:
        """Seconds until something is due by time."""
        now = self._loop.time()
        moments = [self._due_at]
        for feed in self.feeds.values():
            moments += [feed.look_at, feed.solo_at]
            if feed.after:
                moments.append(feed.hints_until)
            if feed.buffer:
                moments.append(feed.moved_at + STALE_S)
        wait = max(_SOONEST_S, min(moments) - now)
        return wait if self._backs.may_claim() else min(wait, _HELD_BACK_S)
