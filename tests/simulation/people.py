"""Everybody beside the workers: producers, people who change their mind, and a consumer of the log."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from penstock.domain.states import FINAL, WAITING, JobState
from penstock.errors import PenstockError, StoreUnavailable
from penstock.store.programs.commit import Writes
from tests.conformance.machine_inputs import BEYOND
from tests.conformance.model_ground import AGING, SECOND
from tests.simulation import steps
from tests.simulation.scheduler import Asking, Life, Process
from tests.simulation.wishes import Wishes


class Producer(Process):
    """Enqueues, and enqueues the same again until it knows that it is done."""

    def produce(self, wishes: Wishes, rounds: int) -> Life:
        """So many times."""
        rng = self.world.rng
        for _ in range(rounds):
            if wishes.room:
                yield from (self._flow(wishes) if rng.random() < 0.6 else self._commit(wishes.singles(self.world.time)))
            yield rng.choice((0.0, 0.0, 1.0, 5.0))

    def _flow(self, wishes: Wishes) -> Life:
        """A fan-in: declared with its parents, while they run, or when they have ended."""
        rng = self.world.rng
        writes = wishes.parents(self.world.time)
        flow = writes.flows[0].id
        parents = [job.id for job in writes.jobs]
        inside = rng.choice((flow, None))
        at_once = rng.random() < 0.4 and parents
        if at_once:
            writes.jobs.append(wishes.fan_in(parents, inside, self.world.time))
        if not (yield from self._commit(writes)) or at_once:
            return
        for _ in range(rng.randint(1, 2)):
            yield rng.choice((0.0, 1.0, 8.0, 16.0))
            # A flow without jobs has not begun to end: who comes after it waits for somebody to fill it.
            after = [flow] if parents and inside is None and rng.random() < 0.5 else parents
            done = sum(self.world.oracle.standing(parent) != "open" for parent in parents)
            when = "after all" if done == len(parents) else "after some" if done else "before all"
            child = wishes.fan_in(after, inside, self.world.time)
            if (yield from self._commit(Writes(jobs=[child]))):
                self.world.seen[f"fan-in {when} of its parents" if parents else "fan-in of none"] += 1

    def _commit(self, writes: Writes) -> Asking[bool]:
        """Enqueue; whether that was not refused."""
        while True:
            try:
                answers = yield from self.ask(lambda now: steps.enqueueing(writes, now))
            except StoreUnavailable:
                # Its own ids make the next try harmless, whether or not this one got there.
                writes.jobs = [replace(job, given_id=True) for job in writes.jobs]
                yield 0.5
                continue
            except PenstockError as error:
                self.world.seen[f"enqueue refused: {type(error).__name__}"] += 1
                return False
            self.world.seen["key already held"] += sum(one.id not in {j.id for j in writes.jobs} for one in answers)
            again = [job for job, one in zip(writes.jobs, answers, strict=True) if job.given_id and not one.created]
            self.world.seen["enqueued twice, once there"] += len(again)
            return True


class Person(Process):
    """Cancels, retries, moves, pauses."""

    def meddle(self, times: int) -> Life:
        """So many times."""
        rng = self.world.rng
        for _ in range(times):
            yield rng.choice((0.0, 1.0, 5.0, 10.0))
            what = rng.choice((self._cancel, self._cancel_flow, self._retry, self._retry, self._retry_flow, self._move))
            try:
                yield from (what() if rng.random() < 0.9 else self._pause())
            except PenstockError as error:
                self.world.seen[f"refused: {type(error).__name__}"] += 1

    def _one(self, among: Sequence[str]) -> str:
        return self.world.rng.choice(among) if among else BEYOND

    def _cancel(self) -> Life:
        states = self.world.rng.choice(((JobState.RUNNING,), (JobState.BLOCKED,), tuple(JobState)))
        ids = [self._one(self.world.jobs(*states)) for _ in range(self.world.rng.randint(1, 3))]
        report = yield from self.ask(lambda now: steps.cancelling(ids, now))
        self.world.seen["cancelled while waiting"] += len(report.cancelled)
        self.world.seen["asked to stop"] += len(report.stopping)

    def _cancel_flow(self) -> Life:
        if self.world.rng.random() < 0.3:
            flow = self._one(list(self.world.oracle.flows))
            yield from self.ask(lambda now: steps.cancelling_flow(flow, now))

    def _retry(self) -> Life:
        jobs = self.world.oracle.jobs
        blamed = [job.culprit for job in jobs.values() if job.culprit is not None and job.culprit in jobs]
        id_ = self._one(blamed if blamed and self.world.rng.random() < 0.6 else self.world.jobs(*FINAL))
        revived = yield from self.ask(lambda now: steps.retrying_job(id_, now))
        self.world.seen["retried"] += 1
        self.world.seen["revived with it"] += len(revived.ready) + len(revived.blocked) - 1

    def _retry_flow(self) -> Life:
        oracle = self.world.oracle
        flow = self._one([flow for flow in oracle.flows if oracle.counts(flow)[JobState.FAILED]])
        revived = yield from self.ask(lambda now: steps.retrying_flow(flow, now))
        self.world.seen["flow revived"] += 1
        self.world.seen["blocked again"] += len(revived.blocked)

    def _move(self) -> Life:
        rng = self.world.rng
        id_ = self._one(self.world.jobs(*WAITING))
        due = rng.choice((None, self.world.time - SECOND, self.world.time + 5 * SECOND))
        level = rng.choice((None, 0, 10))
        yield from self.ask(lambda now: steps.moving(id_, due, level, now))

    def _pause(self) -> Life:
        queue = self.world.rng.choice(tuple(AGING))
        yield from self.ask(lambda now: steps.pausing(queue, now))
        yield self.world.rng.choice((0.0, 3.0))
        yield from self.ask(lambda now: steps.resuming(queue, now))


class Consumer(Process):
    """Reads the log from its start; the oracle knows what stands at each position."""

    def read(self) -> Life:
        """For as long as anybody writes."""
        position = 0
        while True:
            yield self.world.rng.choice((4.0, 12.0))
            limit = self.world.rng.randint(1, 5)
            try:
                found = yield from self.ask(partial(steps.reading_log, position, limit))
            except StoreUnavailable:
                continue
            position += len(found)
            self.world.seen["events read"] += len(found)
