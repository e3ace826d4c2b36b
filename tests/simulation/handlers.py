"""What jobs do in a schedule: tell progress, stream, enqueue on behalf, end in their own transaction, fail, stop."""

from typing import TYPE_CHECKING

from penstock.domain.outcomes import Cancelled, Completed, Failed, Outcome, Released, Snoozed, TimedOut
from penstock.errors import ClaimLost
from penstock.store.programs.commit import Writes
from penstock.store.programs.events import NewEvent
from tests.conformance.machine_inputs import ERROR, at
from tests.conformance.model_ground import SECOND
from tests.simulation import steps
from tests.simulation.scheduler import Asking
from tests.simulation.wishes import Wishes

if TYPE_CHECKING:
    from tests.simulation.worker import Held, Worker

_OUTCOMES: tuple[Outcome, ...] = (
    *[Completed()] * 8, Completed(b"1"), Failed(ERROR), Failed(ERROR), Failed(ERROR, permanent=True),
    Failed(ERROR, after_s=0.0), Failed(ERROR, after_s=5.0), Failed(ERROR, by_handler=False), TimedOut(1.0),
    Snoozed(0, "later"), Snoozed(5 * SECOND, "later"), Cancelled("own", by_handler=True), Released("stopping"),
)  # fmt: skip


class Handlers:
    """The handlers of all kinds. On a calm worker they all just complete."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes

    def run(self, worker: "Worker", held: "Held") -> Asking[Outcome | None]:
        """Run a job; its outcome, None when it has ended its job itself. Raises what the store raises."""
        rng = worker.world.rng
        if worker.is_calm:
            return Completed()
        chance = rng.random()
        try:
            if chance < 0.07:
                yield from worker.ask(lambda now: steps.telling(held.run, 0.5, now))
            elif chance < 0.14:
                yield from self._stream(worker, held)
            elif chance < 0.27:
                yield from worker.ask(lambda now: steps.enqueueing(self._more(held, now), now, held.run))
                worker.world.seen["enqueued on behalf"] += 1
            elif chance < 0.4:
                yield from self._finish(worker, held)
                return None
        except ClaimLost:
            worker.world.note(worker.name, "late write refused")
            return Cancelled("its claim was lost")
        return rng.choice(_OUTCOMES)

    def _stream(self, worker: "Worker", held: "Held") -> Asking[None]:
        """Two pieces; when its answer was lost the first is written again, together with the second."""
        first = f"{held.run.claim} "
        yield from worker.ask(lambda now: steps.streaming(held.run, 0, first, now))
        start = worker.world.rng.choice((0, len(first)))
        more = (first + "more")[start:]
        taken, _, _ = yield from worker.ask(lambda now: steps.streaming(held.run, start, more, now))
        worker.world.seen["streamed" if taken else "late stream refused"] += 1

    def _finish(self, worker: "Worker", held: "Held") -> Asking[None]:
        outcome = worker.world.rng.choice((Completed(), Completed(), Failed(ERROR, permanent=True), Failed(ERROR)))

        def make(now: int) -> steps.Step[object]:
            ending = held.ending(at(outcome, now), now)
            return steps.finishing(ending, self._more(held, now), now, worker.name)  # type: ignore[return-value]

        yield from worker.ask(make)
        worker.world.seen["ended in its own transaction"] += 1

    def _more(self, held: "Held", now: int) -> Writes:
        """What a run writes beside its own state: a fact, and jobs after it, perhaps in its flow."""
        event = NewEvent("work", "done", held.job.id, b"{}")
        return Writes(jobs=self._wishes.below(held.job.id, now), events=[event])
