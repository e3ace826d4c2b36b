"""Learning plans: a topic, a level and weekly hours become a plan of modules and tasks with resources."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from systems.learning_plans.wiring import LearningPlans, build

__all__ = ["LearningPlans", "build"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for (PEP 562): whoever imports a module of the domain gets no web framework with it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("systems.learning_plans.wiring"), name)
