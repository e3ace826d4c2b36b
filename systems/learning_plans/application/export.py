"""A plan as Markdown."""

import re

from systems.learning_plans.application.views import MadeBy, ModuleView, PlanView, TaskView
from systems.learning_plans.domain.entities import ProgressStatus

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")
_MARKS = {ProgressStatus.COMPLETED: "x", ProgressStatus.IN_PROGRESS: " ", ProgressStatus.NOT_STARTED: " "}

OFFLINE_NOTE = "Made without a language model: an outline from the topic, the wishes and the notes alone."


def markdown_of(view: PlanView) -> str:
    """The plan with all its tasks, resources and explanations; texts of models and learners cannot format anything."""
    wishes = view.plan.wishes
    about = [
        f"- Level: {wishes.skill_level}",
        f"- Hours a week: {wishes.weekly_hours}",
        f"- Way of learning: {wishes.learning_style}",
    ]
    about += [f"- Start: {wishes.start_date}"] if wishes.start_date else []
    about += [f"- Deadline: {wishes.deadline_date}"] if wishes.deadline_date else []
    about += [f"- Made by: {_made_by(view.made_by)}"] if view.made_by else []
    lines = [f"# {_plain(wishes.topic)}", "", *about]
    if view.made_by and view.made_by.offline:
        lines += ["", f"> {OFFLINE_NOTE}"]
    for module in view.modules:
        lines += ["", *_module(module)]
    return "\n".join(lines) + "\n"


def _made_by(made_by: MadeBy) -> str:
    return f"{_plain(made_by.provider)} ({_plain(made_by.model)})"


def _module(view: ModuleView) -> list[str]:
    module = view.module
    lines = [f"## {module.order}. {_plain(module.title)} ({module.estimated_minutes} min)"]
    lines += ["", _plain(module.description)] if module.description else []
    lines.append("")
    for task in view.tasks:
        lines += _task(task)
    return lines


def _task(view: TaskView) -> list[str]:
    task = view.task
    lines = [f"- [{_MARKS[view.progress]}] **{_plain(task.title)}** ({task.estimated_minutes} min)"]
    lines += [f"  {_plain(task.description)}"] if task.description else []
    lines += [f"  *{_plain(task.micro_explanation)}*"] if task.micro_explanation else []
    lines += [f"  - [{_plain(one.title)}](<{one.url}>)" for one in view.resources]
    return lines


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
