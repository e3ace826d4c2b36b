"""Who goes next: processes whose actors are generators, chosen by chance; they freeze, die and lose answers."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from penstock.errors import StoreUnavailable
from tests.conformance.model_ground import SECOND
from tests.simulation.steps import Step
from tests.simulation.world import World

R = TypeVar("R")
Life: TypeAlias = Generator[float, None, None]
"""What an actor does: between two yields it cannot be interrupted; it yields the seconds until it goes on."""
Asking: TypeAlias = Generator[float, None, R]
"""A part of a life that answers something."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely a store call is not sent, is answered to nobody, or takes long to get there; each from 0 to 1."""

    unsent: float = 0.0
    unanswered: float = 0.0
    slow: float = 0.0


HEALTHY = Faults()


class Process:
    """Something that may stop as a whole. `speed`: how often its actors are chosen, against those of others."""

    def __init__(self, world: World, name: str, speed: float = 1.0) -> None:
        self.world = world
        self.name = name
        self.speed = speed
        self.faults = HEALTHY
        self.frozen_until = 0
        self.is_dying = False

    def ask(self, make: Callable[[int], Step[R]]) -> Asking[R]:
        """A store call, with the faults of this process. Raises what the program raises, and StoreUnavailable.

        After that the call may have been executed all the same, and nobody knows. One of a process that dies
        meanwhile may be executed, too.
        """
        world, chance = self.world, self.world.rng.random()
        step = make(world.tick())
        faults = self.faults
        if chance < faults.unsent:
            world.note(self.name, "call not sent")
            yield 0.0
            raise StoreUnavailable("the call did not get there")
        if chance < faults.unsent + faults.slow:
            yield from self._slowly(step)
        answer = world.do(self.name, step)
        if chance > 1 - faults.unanswered:
            world.note(self.name, "answer lost")
            yield 0.0
            raise StoreUnavailable("the answer was lost")
        return answer

    def _slowly(self, step: Step[R]) -> Life:
        world = self.world
        world.note(self.name, "slow call")
        try:
            yield world.rng.choice((0.0, 0.0, 1.0, 4.0, 15.0))
        except GeneratorExit:
            if self.is_dying and world.rng.random() < 0.5:
                world.note(self.name, "call of a dead process")
                world.do(self.name, step)
            raise


@dataclass(slots=True, eq=False)
class Actor:
    """One line of what a process does."""

    process: Process
    life: Life
    wakes_at: int


def _waits_until(actor: Actor) -> int:
    frozen_until = actor.process.frozen_until
    return frozen_until if frozen_until > actor.wakes_at else actor.wakes_at


class Scheduler:
    """Lets one actor go on at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actors: list[Actor] = []

    def spawn(self, process: Process, life: Life, after_s: float = 0.0) -> None:
        """Add an actor, which begins after so many seconds."""
        self._actors.append(Actor(process, life, self._world.time + int(after_s * SECOND)))

    def turn(self) -> bool:
        """Let one actor go on, when none may with the time moved to the first that does; False when there is none."""
        world = self._world
        if not self._actors:
            return False
        now = world.time
        may = [a for a in self._actors if a.wakes_at <= now and a.process.frozen_until <= now]
        if not may:
            first = min(self._actors, key=_waits_until)
            world.time = _waits_until(first)
            may = [first]
        actor = may[0] if len(may) == 1 else world.rng.choices(may, [a.process.speed for a in may])[0]
        try:
            wait = next(actor.life)
        except StopIteration:
            self._actors.remove(actor)
        else:
            actor.wakes_at = world.time + int(wait * SECOND)
        return True

    def lives(self, process: Process) -> bool:
        """Whether a process has anything left to do."""
        return any(actor.process is process for actor in self._actors)

    def freeze(self, process: Process, seconds: float) -> None:
        """Let nothing of a process go on for so long."""
        self._world.note(process.name, "frozen")
        process.frozen_until = self._world.time + int(seconds * SECOND)

    def kill(self, process: Process) -> None:
        """End a process where it stands."""
        self._world.note(process.name, "killed")
        process.is_dying = True
        self.dismiss(process)

    def dismiss(self, process: Process) -> None:
        """Let nothing of a process go on any more."""
        gone = [actor for actor in self._actors if actor.process is process]
        self._actors = [actor for actor in self._actors if actor.process is not process]
        for actor in gone:
            actor.life.close()
