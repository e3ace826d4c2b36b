"""One schedule: a seed chooses who takes part, what they do, which faults there are, and who goes next."""

import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

from penstock import codec
from penstock.domain.states import FINAL
from tests.conformance import tables
from tests.conformance.model_ground import DAY
from tests.simulation import steps
from tests.simulation.database import Database
from tests.simulation.handlers import Handlers
from tests.simulation.leader import Leader
from tests.simulation.oracle import check_limits
from tests.simulation.people import Consumer, Person, Producer
from tests.simulation.scheduler import HEALTHY, Faults, Life, Process, Scheduler
from tests.simulation.wishes import Wishes
from tests.simulation.worker import LEASE_S, Worker
from tests.simulation.world import Event, World

_MOST_STEPS_TO_REST = 3_000
_MOST_STEPS_OF_AN_HEIR = 80
_STEPS_OF_A_GHOST = 9


@dataclass(frozen=True, slots=True)
class Plan:
    """What the seed draws first. Many schedules lack a fault or two: what one fault hides another shows."""

    turns: int
    workers: int
    producers: int
    people: int
    faults: Faults
    freezes: bool
    deaths: bool

    @classmethod
    def draw(cls, rng: random.Random) -> "Plan":
        """A plan."""
        return cls(
            turns=rng.randint(20, 110),
            workers=rng.randint(2, 3),
            producers=rng.randint(1, 2),
            people=rng.randint(0, 2),
            faults=Faults(rng.choice((0.0, 0.05)), rng.choice((0.0, 0.0, 0.1)), rng.choice((0.0, 0.05, 0.15))),
            freezes=rng.random() < 0.6,
            deaths=rng.random() < 0.4,
        )


@dataclass(slots=True)
class Ran:
    """What became of a schedule. `error`: what broke, None when all promises held."""

    seed: int
    steps: int
    seen: Counter[str]
    trace: list[Event] = field(repr=False)
    error: Exception | None = None


class Schedule:
    """The actors of one seed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._plan = plan = Plan.draw(world.rng)
        self._scheduler = Scheduler(world)
        self._wishes = Wishes(world)
        self._handlers = Handlers(self._wishes)
        self._workers = [self._hire(f"worker{n}") for n in range(plan.workers)]
        self._producers = [Producer(world, f"producer{n}") for n in range(plan.producers)]
        for producer in self._producers:
            self._join(producer, producer.produce(self._wishes, world.rng.randint(1, 3)))
        self._people = [Person(world, f"person{n}") for n in range(plan.people)]
        for person in self._people:
            self._join(person, person.meddle(world.rng.randint(2, 8)))
        self._consumer = Consumer(world, "consumer")
        self._scheduler.spawn(self._consumer, self._consumer.read())
        self._fate = Process(world, "fate")
        self._scheduler.spawn(self._fate, self._strike())

    def _join(self, process: Process, life: Life) -> None:
        process.faults = self._plan.faults
        self._scheduler.spawn(process, life)

    def _hire(self, name: str, after_s: float = 0.0) -> Worker:
        speed = self._world.rng.choice((1.0, 1.0, 0.2, 5.0))
        worker = Worker(self._world, self._scheduler, name, self._handlers, speed)
        worker.faults = self._plan.faults
        worker.start(after_s)
        self._scheduler.spawn(worker, Leader(worker).live(), after_s)
        return worker

    def _strike(self) -> Life:
        """Freeze and kill workers; a dead one comes back under its name, at once, later or never."""
        rng, workers = self._world.rng, self._workers
        while True:
            yield rng.uniform(1.0, 15.0)
            victim = rng.randrange(len(workers))
            if self._plan.freezes and rng.random() < 0.5:
                self._scheduler.freeze(workers[victim], rng.choice((2.0, 0.9 * LEASE_S, 2 * LEASE_S, 4 * LEASE_S)))
            elif self._plan.deaths and rng.random() < 0.5:
                self._scheduler.kill(workers[victim])
                workers[victim] = self._hire(workers[victim].name, rng.choice((0.0, 1.0, 60.0)))

    def run(self) -> None:
        """Let it all happen, then let healthy workers bring it to rest. Raises AssertionError for a broken promise."""
        for _ in range(self._plan.turns):
            self._scheduler.turn()
        self._calm_down()
        frozen = self._retire()
        self._come_to_rest(frozen)
        self._thaw(frozen)
        self._forget()

    def _calm_down(self) -> None:
        """No more faults, and nobody changes his mind any more."""
        world = self._world
        for process in (*self._people, self._fate, self._consumer):
            self._scheduler.dismiss(process)
        for process in (*self._producers, *self._workers):
            process.faults = HEALTHY
        for queue in sorted(world.oracle.paused):
            world.do("person", steps.resuming(queue, world.tick()))

    def _retire(self) -> list[Worker]:
        """The workers stop, die or stand still, and now and then an heir dies as well; those that stand still."""
        rng, frozen = self._world.rng, []
        for worker in self._workers:
            chance = rng.random()
            if worker.memory.is_valid and chance < 0.4:
                self._scheduler.dismiss(worker)
                deque(worker.sign_off(), maxlen=0)
            elif chance < 0.7:
                self._scheduler.kill(worker)
            else:
                self._scheduler.freeze(worker, 1e6)
                frozen.append(worker)
        for _ in range(rng.choice((0, 0, 0, 0, 2))):
            heir = self._hire("heir")
            for _ in range(_MOST_STEPS_OF_AN_HEIR):
                if heir.memory.held:
                    break
                self._scheduler.turn()
            self._scheduler.kill(heir)
        return frozen

    def _come_to_rest(self, frozen: Sequence[Worker]) -> None:
        """One healthy worker is alone with what there is; those that stood still come back when it hurts most."""
        world = self._world
        self._healthy = self._hire("healthy")
        self._healthy.faults, self._healthy.is_calm = HEALTHY, True
        for _ in range(_MOST_STEPS_TO_REST):
            producing = any(self._scheduler.lives(producer) for producer in self._producers)
            if not producing and all(job.state in FINAL for job in world.oracle.jobs.values()):
                break
            for worker in frozen:
                if worker.is_overtaken and worker.frozen_until > world.time and world.rng.random() < 0.3:
                    worker.frozen_until = world.time
            self._scheduler.turn()
        left = {id_: str(job.state) for id_, job in world.oracle.jobs.items() if job.state not in FINAL}
        assert not left, f"with healthy workers these never end: {left}"
        open_flows = [flow.id for flow in world.tables.flows.values() if flow.total and flow.finished is None]
        assert not open_flows, f"these flows never end: {open_flows}"
        held = {key: one.job for key, one in world.tables.keys.items() if one.scope == "active"}
        assert not held, f"these unique keys are never let go: {held}"

    def _thaw(self, frozen: Sequence[Worker]) -> None:
        """Who still stands goes on where he was: nothing of what he writes is taken any more."""
        if not frozen:
            return
        self._scheduler.dismiss(self._healthy)
        for worker in frozen:
            worker.frozen_until = 0
        for _ in range(_STEPS_OF_A_GHOST * len(frozen)):
            self._scheduler.turn()

    def _forget(self) -> None:
        """Days later nothing is left but what its queue keeps for ever, and the log is whole."""
        world = self._world
        log = world.oracle.log
        world.do("reader", steps.reading_log(0, len(log) + 10, world.tick()))
        world.time += 3 * DAY
        world.do("leader", steps.pruning(world.tick()))
        world.confirm()


def run_schedule(database: Database, seed: int) -> Ran:
    """Run the schedule of a seed. Also the ids that the engine itself makes come from the seed."""
    world = World(database, seed)
    error: Exception | None = None
    # The state machine's check knows no moment between a claim and its admission.
    limits = patch.object(tables, "_check_concurrency", check_limits)
    with patch.object(codec, "new_id", world.new_id), limits:
        try:
            Schedule(world).run()
        except Exception as broken:  # noqa: BLE001 - whatever it is, the seed that leads to it is the finding
            error = broken
    return Ran(seed, world.steps, world.seen, world.trace, error)
