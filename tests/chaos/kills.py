"""Scenarios in which processes die."""

import signal
import time

from tests.chaos.case import Allowed
from tests.chaos.crew import Member
from tests.chaos.ground import shared_server, sqlite_file
from tests.chaos.kinds import Hold, Poison
from tests.chaos.scenario import Scenario
from tests.chaos.stage import Size, Stage

BOTH = {"sqlite": sqlite_file, "postgres": shared_server}
KILL_EVERY_S = 2.0
LATE_WRITES = 3
"""Ways in which a held job tries to write when it is too late: publish, enqueue, end in a transaction."""


def _kill(stage: Stage, member: Member) -> None:
    """Kill one, and start its successor at once."""
    if member.lives:
        member.kill()
        member.revive()
        stage.fault_over()


def kill_at_random(stage: Stage) -> None:
    """`kill -9` of workers and producers at random moments of the work."""
    stage.start()
    for _ in stage.moments():
        _kill(stage, stage.dice.choice([*stage.crew.workers, *(p for p in stage.crew.producers if p.lives)]))
    stage.finish()


def kill_every_two_seconds(stage: Stage) -> None:
    """`kill -9` of one worker after the other, every two seconds."""
    stage.start()
    for number in range(stage.size.faults):
        time.sleep(KILL_EVERY_S)
        _kill(stage, stage.crew.workers[number % len(stage.crew.workers)])
    stage.finish()


def poison(stage: Stage) -> None:
    """Jobs that kill their worker each time: they fail by name, their neighbours complete."""
    stage.start()
    # One is killed before anybody knows that it has begun, which bounds it by losses; one after, by attempts.
    stage.enqueue(*(Poison(seconds=seconds) for seconds in (0.7 * stage.size.pause_s, 0.0)[: stage.size.faults]))
    while not stage.is_done():
        if stage.crew.replace_dead():
            stage.fault_over()
        time.sleep(0.05)
    stage.finish()
    states = dict(stage.ground.database.select(
        "SELECT j.state, count(*) FROM ~jobs j JOIN ~lanes l ON l.id = j.lane_id WHERE l.kind = 'poison' GROUP BY 1"
    ))  # fmt: skip
    if states != {"failed": stage.size.faults}:
        stage.wrong.append(f"poison did not end as failed: {states}")


def frozen(stage: Stage) -> None:
    """SIGSTOP of a worker past its lease, woken while its jobs run elsewhere: nothing that it writes then counts."""
    gate = stage.folder / "gate"
    first = stage.crew.add_worker()
    held = stage.enqueue(*(Hold(gate=str(gate), stubborn=True) for _ in range(stage.size.faults)))
    stage.wait_for(lambda: len(stage.effects("begin", "hold")) == len(held), "the start of all held jobs")
    stage.freeze(first)
    stage.start()
    stage.wait_for(lambda: len(stage.effects("begin", "hold")) >= 2 * len(held), "their start on another worker")
    first.send(signal.SIGCONT)
    stage.fault_over()
    stage.wait_for(lambda: len(stage.effects("refused")) >= LATE_WRITES * len(held), "the refusal of all late writes")
    stage.wait_for(lambda: _settled_by(stage, first), "the late worker to have nothing left")
    gate.touch()
    stage.finish()


def _settled_by(stage: Stage, member: Member) -> bool:
    """Whether every late run of this worker has come to its end, which the fence then judged."""
    late = {(line.job, line.claim) for line in stage.effects("refused")}
    return len(late & {(line.job, line.claim) for line in stage.effects("end") if line.pid == member.pid}) == len(late)


def signal_twice(stage: Stage) -> None:
    """SIGTERM in the middle of the work, to one worker once and to another twice: jobs are given back, unspent."""
    gate = stage.folder / "gate"
    patient, hasty = stage.crew.add_worker(grace_s=3600.0), stage.crew.add_worker(grace_s=0.2)
    held = stage.enqueue(*(Hold(gate=str(gate)) for _ in range(30)))
    stage.wait_for(lambda: len(stage.effects("begin", "hold")) == len(held), "the start of all held jobs")
    stage.start_producers()
    for _ in stage.moments():
        break
    for worker, signals, right in ((hasty, 1, 1), (patient, 2, 130)):
        worker.send(signal.SIGTERM)
        if signals == 2:
            stage.wait_for(lambda: stage.is_stopping(patient), "its stopping")
            worker.send(signal.SIGTERM)
        code = worker.wait()
        if code != right:
            stage.wrong.append(f"{worker.name} ended with {code} after {signals} signals, not {right}")
        stage.fault_over()
    stage.crew.add_worker()
    stage.wait_for(lambda: len(stage.effects("begin", "hold")) >= len(held) + 1, "their start on another worker")
    gate.touch()
    stage.finish()
    [(most,)] = stage.ground.database.select("SELECT max(attempt) FROM ~jobs j JOIN ~lanes l ON l.id = j.lane_id "
                                             "WHERE l.kind = 'hold'")  # fmt: skip
    if most != 1:
        stage.wrong.append(f"a job that was given back has spent {most - 1} attempts")


KILLS = (
    Scenario(
        "kill", kill_at_random, BOTH,
        short=Size(jobs=250, flows=6, faults=4, workers=3, producers=2, pace_s=0.1),
        long=Size(jobs=5000, flows=50, faults=30, workers=3, producers=2, pace_s=0.2),
    ),
    Scenario(
        "kill-every-2s", kill_every_two_seconds, BOTH,
        short=Size(jobs=200, flows=5, faults=2, pace_s=0.35), long=Size(jobs=5000, flows=50, faults=20, pace_s=0.3),
    ),
    Scenario(
        "poison", poison, BOTH, allowed=Allowed(failing=frozenset({"poison"})), lease_s=0.6,
        short=Size(jobs=40, flows=2, faults=1, pause_s=1.0), long=Size(jobs=1000, flows=10, faults=2, pause_s=1.0),
    ),
    Scenario(
        "freeze", frozen, BOTH,
        short=Size(jobs=50, flows=2, faults=4, workers=1), long=Size(jobs=1000, flows=10, faults=15, workers=1),
    ),
    Scenario(
        "sigterm", signal_twice, BOTH, allowed=Allowed(losses=False), lease_s=3.0,
        short=Size(jobs=100, flows=3, faults=1), long=Size(jobs=2000, flows=20, faults=1),
    ),
)  # fmt: skip
