"""Minutes that a learner can believe."""

from collections.abc import Sequence
from dataclasses import replace

from systems.learning_plans.domain.entities import ModuleDraft

MODULE_MINUTES = (15, 480)
TASK_MINUTES = (5, 120)


def normalize_effort(modules: Sequence[ModuleDraft]) -> tuple[tuple[ModuleDraft, ...], bool]:
    """The modules with all minutes within their bounds, and whether any had to be moved."""
    found = tuple(
        replace(
            module,
            estimated_minutes=_clamped(module.estimated_minutes, MODULE_MINUTES),
            tasks=tuple(
                replace(task, estimated_minutes=_clamped(task.estimated_minutes, TASK_MINUTES)) for task in module.tasks
            ),
        )
        for module in modules
    )
    return found, found != tuple(modules)


def _clamped(minutes: int, bounds: tuple[int, int]) -> int:
    return min(bounds[1], max(bounds[0], minutes))
