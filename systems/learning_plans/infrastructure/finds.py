"""Keeping what curation finds: resources, their places at tasks, explanations, and where each task stands."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from systems.common.database.upsert import insert_or_update, insert_unless_there
from systems.learning_plans.application.curation_ports import Clock, CurationStatus, TaskOutcome
from systems.learning_plans.domain.resources import Candidate
from systems.learning_plans.infrastructure.tables import ResourceRow, TaskCurationRow, TaskResourceRow, TaskRow


class SqlFinds:
    """The port `FindStore`: each call is one transaction."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    async def keep(self, outcomes: Sequence[TaskOutcome]) -> None:
        """See the port."""
        async with self._sessions.begin() as session:
            await keep_outcomes(session, outcomes, self._clock.now())


async def keep_outcomes(session: AsyncSession, outcomes: Sequence[TaskOutcome], now: datetime) -> None:
    """Write outcomes in the caller's transaction; doing it twice changes nothing.

    Tasks that are gone are passed over. Resources are known by their addresses and come after those that a task has.
    A task's explanation is written once. Only a pending task is settled.
    """
    held = await _hold(session, [outcome.task_id for outcome in outcomes])
    kept = [outcome for outcome in outcomes if outcome.task_id in held]
    ids = await _resource_ids(session, [found for outcome in kept for found in outcome.resources], now)
    for outcome in kept:
        await _attach(session, outcome, ids)
        await _explain(session, outcome)
        await _settle(session, outcome, now)


async def mark_pending(session: AsyncSession, task_ids: Sequence[str], now: datetime) -> None:
    """Tasks whose curation begins; one that has a standing keeps it."""
    rows: list[dict[str, object]] = [
        {"task_id": task_id, "status": CurationStatus.PENDING, "reason": None, "updated_at": now}
        for task_id in task_ids
    ]
    await insert_unless_there(session, TaskCurationRow, rows)


async def ask_again(session: AsyncSession, task_ids: Sequence[str], now: datetime) -> list[str]:
    """Of these tasks, those that were skipped or have failed become pending; answers which."""
    again = (
        update(TaskCurationRow)
        .where(
            TaskCurationRow.task_id.in_(task_ids),
            TaskCurationRow.status.in_([CurationStatus.SKIPPED, CurationStatus.FAILED]),
        )
        .values(status=CurationStatus.PENDING, reason=None, updated_at=now)
        .returning(TaskCurationRow.task_id)
    )
    return sorted(await session.scalars(again))


async def _hold(session: AsyncSession, task_ids: Sequence[str]) -> set[str]:
    """The tasks that are there, locked in one order: whoever attaches to a task does so alone."""
    wanted = select(TaskRow.id).where(TaskRow.id.in_(task_ids)).order_by(TaskRow.id).with_for_update()
    return set(await session.scalars(wanted))


async def _resource_ids(session: AsyncSession, found: Sequence[Candidate], now: datetime) -> dict[str, str]:
    """The id of each address's resource, which is made or brought up to date."""
    by_url = {candidate.url: candidate for candidate in found}
    rows: list[dict[str, object]] = [
        {
            "id": str(uuid4()),
            "type": candidate.type,
            "title": candidate.title,
            "url": url,
            "domain": candidate.domain,
            "author": candidate.author,
            "duration_minutes": candidate.duration_minutes,
            "created_at": now,
        }
        for url, candidate in by_url.items()
    ]
    await insert_or_update(session, ResourceRow, rows, key="url", changing=["title", "author", "duration_minutes"])
    known = await session.execute(select(ResourceRow.url, ResourceRow.id).where(ResourceRow.url.in_(by_url)))
    return {url: resource_id for url, resource_id in known}


async def _attach(session: AsyncSession, outcome: TaskOutcome, ids: dict[str, str]) -> None:
    attached = await session.execute(
        select(TaskResourceRow.resource_id, TaskResourceRow.order).where(TaskResourceRow.task_id == outcome.task_id)
    )
    orders = {resource_id: order for resource_id, order in attached}
    last = max(orders.values(), default=0)
    new = [candidate for candidate in outcome.resources if ids[candidate.url] not in orders]
    rows: list[dict[str, object]] = [
        {
            "id": str(uuid4()),
            "task_id": outcome.task_id,
            "resource_id": ids[candidate.url],
            "order": order,
            "score": candidate.score,
        }
        for order, candidate in enumerate(new, start=last + 1)
    ]
    await insert_unless_there(session, TaskResourceRow, rows)


async def _explain(session: AsyncSession, outcome: TaskOutcome) -> None:
    if outcome.micro_explanation is not None:
        await session.execute(
            update(TaskRow)
            .where(TaskRow.id == outcome.task_id, TaskRow.has_micro_explanation.is_(False))
            .values(micro_explanation=outcome.micro_explanation, has_micro_explanation=True)
        )


async def _settle(session: AsyncSession, outcome: TaskOutcome, now: datetime) -> None:
    await mark_pending(session, [outcome.task_id], now)
    await session.execute(
        update(TaskCurationRow)
        .where(TaskCurationRow.task_id == outcome.task_id, TaskCurationRow.status == CurationStatus.PENDING)
        .values(status=outcome.status, reason=outcome.reason, updated_at=now)
    )
