"""Ids for a new plan's modules and tasks: the same ones whenever the same job makes them."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from systems.learning_plans.domain.entities import Module, ModuleDraft, Task, TaskDraft
from systems.learning_plans.domain.keeping import Place


def numbered(job_id: str, drafts: Sequence[ModuleDraft], kept: Mapping[Place, str]) -> tuple[Module, ...]:
    """Modules and tasks in order, from 1; `kept` are the ids of tasks that are old ones."""
    return tuple(_module(UUID(job_id), number, draft, kept) for number, draft in enumerate(drafts))


def _module(job: UUID, number: int, draft: ModuleDraft, kept: Mapping[Place, str]) -> Module:
    tasks = tuple(
        _task(kept.get((number, position)) or str(uuid5(job, f"task {number}.{position}")), position, task)
        for position, task in enumerate(draft.tasks)
    )
    id_ = str(uuid5(job, f"module {number}"))
    return Module(id_, number + 1, draft.title, draft.description, draft.estimated_minutes, tasks)


def _task(id_: str, position: int, draft: TaskDraft) -> Task:
    return Task(id_, position + 1, draft.title, draft.description, draft.estimated_minutes)
