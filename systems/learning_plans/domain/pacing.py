"""How many tasks fit between the start and the deadline, and which ones stay."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from systems.learning_plans.domain.entities import ModuleDraft, SkillLevel, Wishes

AVERAGE_MINUTES = 45
LEVEL_MINUTES = {SkillLevel.BEGINNER: 10, SkillLevel.INTERMEDIATE: 0, SkillLevel.ADVANCED: -10}
MIN_AVERAGE, MAX_AVERAGE = 20, 90


def weeks_of(wishes: Wishes, today: date) -> int | None:
    """The weeks from the start (today when none is given) to the deadline, at least one; None without a deadline."""
    if wishes.deadline_date is None:
        return None
    days = (wishes.deadline_date - (wishes.start_date or today)).days
    return max(1, math.ceil(days / 7))


def capacity_of(wishes: Wishes, today: date) -> int | None:
    """How many tasks there is time for; None without a deadline."""
    weeks = weeks_of(wishes, today)
    if weeks is None:
        return None
    average = min(MAX_AVERAGE, max(MIN_AVERAGE, AVERAGE_MINUTES + LEVEL_MINUTES[wishes.skill_level]))
    return wishes.weekly_hours * weeks * 60 // average


def pace_plan(modules: Sequence[ModuleDraft], wishes: Wishes, today: date) -> tuple[ModuleDraft, ...]:
    """The modules with as many tasks as there is time for; as they are without a deadline.

    The first task of each module stays; the remaining slots are filled in plan order, module by module. With fewer
    slots than modules only the first modules stay, with one task each; with none, each module keeps one task.
    """
    capacity = capacity_of(wishes, today)
    if capacity is None:
        return tuple(modules)
    kept = list(modules[:capacity]) if 0 < capacity < len(modules) else list(modules)
    spare = max(0, capacity - len(kept))
    paced = []
    for module in kept:
        more = min(spare, len(module.tasks) - 1)
        spare -= more
        paced.append(replace(module, tasks=module.tasks[: 1 + more]))
    return tuple(paced)
