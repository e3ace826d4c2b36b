"""A scenario: what is done to the crew or its store, and how it is judged."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.app import set_switch
from tests.chaos.case import FINAL, Allowed
from tests.chaos.checker import check
from tests.chaos.crew import ProcessFailed
from tests.chaos.evidence import Evidence, gather
from tests.chaos.ground import Ground
from tests.chaos.stage import Size, Stage, stage

ANYTHING_LOST = Allowed()

Place = Callable[[Path], AbstractContextManager[Ground]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`act` does the harm and returns when everything has ended.

    places: where it takes place, by store. switches: those in the folder that must be there when processes start.
    """

    name: str
    act: Callable[[Stage], None]
    places: Mapping[str, Place]
    short: Size
    long: Size
    lease_s: float = 1.0
    allowed: Allowed = ANYTHING_LOST
    switches: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it. broken: violations and whatever else was wrong; recovery: s from each fault's end to the next

    completion that the store committed after it; rest_s: from the last fault's end to the last completion.
    """

    broken: list[str]
    jobs: int
    flows: int
    runs: int
    lost: int
    faults: int
    recovery: list[float]
    rest_s: float
    seconds: float

    @property
    def text(self) -> str:
        """One line of counts and times."""
        worst = f"next progress {max(self.recovery):.2f} s at worst, " if self.recovery else ""
        return (
            f"{self.jobs:,} jobs, {self.flows:,} flows, {self.runs:,} runs, {self.lost:,} lost, {self.faults} faults: "
            f"{worst}all done {self.rest_s:.1f} s after the last; {self.seconds:.1f} s"
        )


def play(scenario: Scenario, store: str, folder: Path, seed: str, size: Size) -> Verdict:
    """Play a scenario in an empty folder and judge what is left. A time that runs out is a violation."""
    began = time.monotonic()
    for name, value in scenario.switches.items():
        set_switch(folder / name, value)
    with scenario.places[store](folder) as ground:
        with stage(ground, folder, size, f"{seed}:{scenario.name}:{store}", scenario.lease_s) as acted:
            try:
                scenario.act(acted)
            except (TimeoutError, ProcessFailed) as error:
                acted.wrong.append(str(error))
        evidence = gather(ground.database, folder)
    if not scenario.allowed.losses:
        acted.wrong += _taken_alive(folder)
    broken = acted.wrong + [str(violation) for violation in check(evidence, scenario.allowed)]
    ends = sorted(fact.at for fact in evidence.facts if fact.is_move and fact.new in FINAL)
    return _verdict(evidence, broken, acted.faults, ends, time.monotonic() - began)


def _taken_alive(folder: Path) -> list[str]:
    """What the workers' logs say of workers that were taken for lost, where none was."""
    lines = [line for log in sorted(folder.glob("worker-*.log")) for line in log.read_text().splitlines()]
    return [
        f"a living worker was taken for lost: {line}" for line in lines if "a lost worker's jobs were taken" in line
    ]


def _verdict(evidence: Evidence, broken: list[str], faults: list[float], ends: list[float], seconds: float) -> Verdict:
    after = [[end - fault for end in ends if end > fault] for fault in faults]
    return Verdict(
        broken=broken,
        jobs=len(evidence.jobs),
        flows=len(evidence.flows),
        runs=sum(effect.what == "begin" for effect in evidence.effects),
        lost=sum(row.losses for row in evidence.jobs.values()),
        faults=len(faults),
        recovery=[times[0] for times in after if times],
        rest_s=max(0.0, ends[-1] - faults[-1]) if ends and faults else 0.0,
        seconds=seconds,
    )
