"""The kind `plan_curation`, its data and options."""

from penstock import JobData
from systems.learning_plans.handlers.jobs import PlanJobEnded

QUEUE = "curation"
TIMEOUT_S = 600


class PlanCurationJob(
    JobData,
    kind="plan_curation",
    queue=QUEUE,
    max_attempts=3,
    timeout=TIMEOUT_S,
    steps=("open tasks", "task *", "explanation *"),
    ended_by=PlanJobEnded,
):
    """Find videos and documentation for the tasks of a plan; `task_ids` None: for all that are not curated yet."""

    plan_id: str
    user_id: str
    task_ids: list[str] | None = None
