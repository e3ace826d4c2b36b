"""The only place that knows all parts of learning plans."""

from systems.learning_plans.wiring.system import LearningPlans, build

__all__ = ["LearningPlans", "build"]
