"""The kinds of jobs, their data and their fixed options; what a deployment chooses is in `desk.py`."""

from enum import StrEnum
from typing import Any

from penstock import Exponential, JobData, JobEnded

PLANS, USAGE, MAINTENANCE = "plans", "usage", "maintenance"

PLAN_ATTEMPTS = 3
# About 2 s before the second attempt, 4 s before the third, at most five minutes, each ± 25 %.
PLAN_RETRY = Exponential(base=2.0, factor=2.0, cap=300.0, jitter=0.25)
METER_RETRY = Exponential(base=5.0, factor=2.0, cap=3_600.0, jitter=0.0)
# What tells of an end must outlive a database that is away for a while.
END_ATTEMPTS = 20


class JobType(StrEnum):
    """The kinds that the worker runs."""

    PLAN_GENERATION = "plan_generation"
    PLAN_REGENERATION = "plan_regeneration"
    PLAN_CURATION = "plan_curation"
    USAGE_METER_PUSH = "usage_meter_push"
    PLAN_STUCK_SWEEP = "plan_stuck_sweep"
    JOB_RETENTION = "job_retention"
    PLAN_JOB_ENDED = "plan_job_ended"


PLAN_KINDS = (JobType.PLAN_GENERATION, JobType.PLAN_REGENERATION)
LEARNERS_KINDS = (*PLAN_KINDS, JobType.PLAN_CURATION)
"""What learners see."""


class PlanJobEnded(
    JobEnded,
    kind=JobType.PLAN_JOB_ENDED,
    queue=MAINTENANCE,
    max_attempts=END_ATTEMPTS,
    retry=PLAN_RETRY,
    timeout=60,
    priority="high",
):
    """A plan's job ended without its handler: lost or timed out on its last attempt, or cancelled."""


class PlanGeneration(
    JobData,
    kind=JobType.PLAN_GENERATION,
    queue=PLANS,
    max_attempts=PLAN_ATTEMPTS,
    retry=PLAN_RETRY,
    timeout=120,
    steps=("plan", "curation"),
    ended_by=PlanJobEnded,
):
    """Fill a new plan. The handler checks the data and names all that is wrong at once; so the types are open here."""

    plan_id: Any = None
    user_id: Any = None
    topic: Any = None
    notes: Any = None
    skill_level: Any = None
    weekly_hours: Any = None
    learning_style: Any = None
    start_date: Any = None
    deadline_date: Any = None


class PlanRegeneration(
    JobData,
    kind=JobType.PLAN_REGENERATION,
    queue=PLANS,
    max_attempts=PLAN_ATTEMPTS,
    retry=PLAN_RETRY,
    timeout=120,
    steps=("plan", "curation"),
    ended_by=PlanJobEnded,
):
    """Replace the content of a plan, with changed wishes."""

    plan_id: Any = None
    user_id: Any = None
    overrides: Any = None


class UsageMeterPush(
    JobData, kind=JobType.USAGE_METER_PUSH, queue=USAGE, max_attempts=8, retry=METER_RETRY, timeout=15
):
    """Tell whoever bills."""

    meter_event_id: str


class PlanStuckSweep(JobData, kind=JobType.PLAN_STUCK_SWEEP, queue=MAINTENANCE, max_attempts=1, timeout=60):
    """Fail plans that nobody works at any more."""


class JobRetention(JobData, kind=JobType.JOB_RETENTION, queue=MAINTENANCE, max_attempts=3, timeout=300):
    """Remove old jobs that have ended."""

    older_than_days: int = 30
