"""Making one plan from the command line, with a worker in this process."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import typer
from pydantic_core import to_json

from penstock import JobCancelled, JobFailed, ResultTimeout
from systems.learning_plans.application.export import markdown_of
from systems.learning_plans.domain.events import ENDS, PlanEventType
from systems.learning_plans.domain.tiers import Tier
from systems.learning_plans.handlers.events import STREAM
from systems.learning_plans.handlers.jobs import JobType
from systems.learning_plans.http.shapes import view_json
from systems.learning_plans.wiring import LearningPlans

CREATING_LEARNER = "cli"
_CURATION_S = 600.0


class NotMade(Exception):
    """The plan's job has failed; the text says why."""


async def create_plan(plans: LearningPlans, user: str, wishes: Mapping[str, Any], *, as_json: bool) -> str:
    """The plan as Markdown or JSON, ending in a newline. Raises as `Intake.create`, and `NotMade`."""
    await plans.open()
    try:
        if user == CREATING_LEARNER:
            # Who has the database's file has no use for limits.
            await plans.users.set_tier(user, Tier.PRO)
        started = await plans.intake.create(user, wishes)
        await plans.start()
        _tell(f"making a plan for {wishes['topic']!r} (job {started.job_id})")
        await _follow(plans, started.plan.id, started.job_id)
        await _curation(plans, started.job_id)
        view = await plans.library.plan(user, started.plan.id)
    finally:
        await plans.stop()
    if view.made_by is not None and view.made_by.offline:
        _tell("made without a language model: an outline from the topic, the wishes and the notes alone")
    return to_json(view_json(view), indent=2).decode() + "\n" if as_json else markdown_of(view)


async def _follow(plans: LearningPlans, plan_id: str, job_id: str) -> None:
    """Tell what happens until the plan is there. Raises `NotMade`."""
    async with aclosing(plans.engine.events.follow(stream=STREAM, subject=plan_id)) as events:
        async for event in events:
            if event.data.get("job_id") != job_id:
                continue
            match event.type:
                case PlanEventType.MODULE_DETECTED:
                    _tell(f"  module {event.data['number']}: {event.data['title']}")
                case PlanEventType.RETRYING:
                    _tell(f"  attempt {event.data['attempt']} failed: {event.data['message']}; trying again")
                case PlanEventType.FAILED:
                    raise NotMade(f"{event.data['message']} ({event.data['classification']})")
            if event.type in ENDS:
                return


async def _curation(plans: LearningPlans, job_id: str) -> None:
    """Wait for the job that looks for resources, if there is one. What becomes of it is no reason to have no plan."""
    for job in await plans.engine.jobs.find(kind=JobType.PLAN_CURATION, limit=50):
        data, _ = await plans.engine.jobs.payload(job.id)
        made, _ = await plans.engine.jobs.payload(job_id)
        if data["plan_id"] != made["plan_id"]:
            continue
        _tell("looking for resources and explaining tasks")
        try:
            await plans.engine.handle(job.id).result(timeout=_CURATION_S)
        except (JobFailed, JobCancelled, ResultTimeout) as error:
            _tell(f"  not all tasks have resources: {error}")
        return


def _tell(line: str) -> None:
    typer.echo(line, err=True)
