"""Scenarios about time: a loop that stands still, and clocks that jump. Nobody may be taken for dead over either."""

import time

from tests.chaos.app import CLOCK, set_switch
from tests.chaos.case import Allowed
from tests.chaos.kills import BOTH
from tests.chaos.kinds import Hold, Piece
from tests.chaos.scenario import Scenario
from tests.chaos.stage import Size, Stage

HOUR_S = 3600


def block_loop(stage: Stage) -> None:
    """A handler blocks the event loop for much longer than a lease: its worker keeps its jobs, others go on."""
    stage.start()
    for _ in stage.moments():
        before = len(stage.effects("begin", "hold"))
        stage.enqueue(Hold(seconds=stage.size.pause_s, blocks=True))
        stage.wait_for(lambda: len(stage.effects("begin", "hold")) > before, "the start of the blocking job")  # noqa: B023
        time.sleep(stage.size.pause_s)
        stage.fault_over()
    stage.finish()


def step_clock(stage: Stage) -> None:
    """The wall clock of the workers steps an hour back, forth, and forth again, over and over."""
    clock, gate = stage.folder / CLOCK, stage.folder / "gate"
    stage.start()
    # Whoever is taken for dead then loses something.
    held = stage.enqueue(*(Hold(gate=str(gate)) for _ in range(4 * stage.size.workers)))
    stage.wait_for(lambda: len(stage.effects("begin", "hold")) == len(held), "the start of all held jobs")
    for number in stage.moments():
        # In this order nothing is left waiting for an hour that comes again: what is due by the later clock is due.
        set_switch(clock, (-HOUR_S, 0, HOUR_S)[number % 3])
        stage.fault_over()
        [fresh] = stage.enqueue(Piece(number=0))
        stage.wait_for(lambda: stage.has_ended(fresh), "progress after a step of the clock")  # noqa: B023
        stage.pause()
    gate.touch()
    stage.finish()


TIMES = (
    Scenario(
        "block", block_loop, BOTH, allowed=Allowed(losses=False), lease_s=2.0,
        short=Size(jobs=100, flows=3, faults=1, pause_s=5.0),
        long=Size(jobs=2000, flows=20, faults=1, pause_s=60.0, pace_s=0.5),
    ),
    Scenario(
        "clock", step_clock, BOTH, allowed=Allowed(losses=False), lease_s=2.0, switches={CLOCK: 0},
        short=Size(jobs=200, flows=5, faults=6, pause_s=1.0, pace_s=0.1),
        long=Size(jobs=3000, flows=30, faults=30, pause_s=1.0, pace_s=0.3),
    ),
)  # fmt: skip
