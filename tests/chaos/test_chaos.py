"""The crash suite in its short form: every scenario of `python -m tests.chaos`, small."""

import secrets
from pathlib import Path

import pytest

from tests.chaos.scenario import Scenario, play
from tests.chaos.scenarios import SCENARIOS

PLAYS = [
    pytest.param(scenario, store, id=f"{scenario.name}-{store}") for scenario in SCENARIOS for store in scenario.places
]


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("scenario", "store"), PLAYS)
def test_nothing_is_lost_and_nothing_counts_twice(scenario: Scenario, store: str, tmp_path: Path) -> None:
    seed = str(secrets.randbelow(1_000_000))
    verdict = play(scenario, store, tmp_path, seed, scenario.short)
    again = f"python -m tests.chaos --short --seed {seed} --store {store} --only {scenario.name}"
    assert not verdict.broken, "\n".join([f"{len(verdict.broken)} wrong; {again}", *verdict.broken[:20]])
    assert verdict.faults
