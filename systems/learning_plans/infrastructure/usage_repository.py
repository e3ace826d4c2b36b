"""Learners, quota, calls of models and what is billed, in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, ScalarSelect, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from systems.common.database.upsert import insert_unless_there
from systems.learning_plans.application.repositories import MeterEvent, Reservation, UsageCall, UsageStanding
from systems.learning_plans.domain.tiers import QuotaKind, ReservationState, Tier
from systems.learning_plans.infrastructure.tables import (
    AiUsageEventRow,
    UsageMeterEventRow,
    UsageMetricRow,
    UsageReservationRow,
    UserRow,
)

_COUNTERS = {
    QuotaKind.PLAN: "plans_generated",
    QuotaKind.REGENERATION: "regenerations_used",
    QuotaKind.EXPORT: "exports_used",
}
_PLAN_JOBS = (QuotaKind.PLAN, QuotaKind.REGENERATION)


class SqlUsers:
    """The port `Users` on the caller's session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def hold(self, user_id: str, now: datetime) -> Tier:
        """See the port."""
        row: dict[str, object] = {"id": user_id, "tier": Tier.FREE, "created_at": now}
        await insert_unless_there(self._session, UserRow, [row])
        # Without the key: who writes a row that refers to the learner, as the end of a job does, does not wait for us.
        wanted = select(UserRow.tier).where(UserRow.id == user_id).with_for_update(key_share=True)
        return Tier((await self._session.execute(wanted)).scalar_one())

    async def tier(self, user_id: str) -> Tier:
        """See the port."""
        found = await self._session.scalar(select(UserRow.tier).where(UserRow.id == user_id))
        return Tier.FREE if found is None else Tier(found)

    async def set_tier(self, user_id: str, tier: Tier, now: datetime) -> None:
        """Give a learner, who need not be known yet, this tier."""
        await self.hold(user_id, now)
        await self._session.execute(update(UserRow).where(UserRow.id == user_id).values(tier=tier))


class SqlUsage:
    """The port `Usage` on the caller's session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def accepted_since(self, user_id: str, since: datetime) -> Sequence[datetime]:
        """See the port."""
        found = await self._session.scalars(
            select(UsageReservationRow.created_at).where(
                UsageReservationRow.user_id == user_id,
                UsageReservationRow.created_at > since,
                UsageReservationRow.kind.in_(_PLAN_JOBS),
            )
        )
        return list(found)

    async def standing(self, user_id: str, month: str) -> UsageStanding:
        """See the port."""
        row = (
            await self._session.execute(
                select(
                    _used(user_id, month, UsageMetricRow.plans_generated),
                    _used(user_id, month, UsageMetricRow.regenerations_used),
                    _used(user_id, month, UsageMetricRow.exports_used),
                    _reserved(user_id, month, QuotaKind.REGENERATION),
                    _reserved(user_id, month, QuotaKind.EXPORT),
                )
            )
        ).one()
        return UsageStanding(*(value or 0 for value in row))

    async def reserve(self, reservation: Reservation, now: datetime) -> None:
        """See the port."""
        await self._session.execute(
            insert(UsageReservationRow).values(
                id=str(uuid4()),
                user_id=reservation.user_id,
                month=reservation.month,
                kind=reservation.kind,
                job_id=reservation.job_id,
                state=reservation.state,
                created_at=now,
            )
        )

    async def settle(self, job_id: str, state: ReservationState) -> Reservation | None:
        """See the port."""
        held = (UsageReservationRow.job_id == job_id, UsageReservationRow.state == ReservationState.RESERVED)
        settling = update(UsageReservationRow).where(*held).values(state=state)
        row = (
            await self._session.execute(
                settling.returning(UsageReservationRow.user_id, UsageReservationRow.month, UsageReservationRow.kind)
            )
        ).one_or_none()
        return None if row is None else Reservation(row.user_id, row.month, QuotaKind(row.kind), job_id, state)

    async def count_up(self, user_id: str, month: str, kind: QuotaKind) -> None:
        """See the port."""
        row: dict[str, object] = {"user_id": user_id, "month": month, **dict.fromkeys(_COUNTERS.values(), 0)}
        await insert_unless_there(self._session, UsageMetricRow, [row])
        counter = UsageMetricRow.__table__.c[_COUNTERS[kind]]
        await self._session.execute(
            update(UsageMetricRow)
            .where(UsageMetricRow.user_id == user_id, UsageMetricRow.month == month)
            .values({counter.name: counter + 1})
        )

    async def add_calls(self, calls: Sequence[UsageCall]) -> None:
        """See the port."""
        rows: list[dict[str, object]] = [
            {
                "id": str(uuid4()),
                "user_id": call.user_id,
                "job_id": call.job_id,
                "job_attempt": call.job_attempt,
                "call_no": call.call_no,
                "operation": call.operation,
                "provider": call.provider,
                "model": call.model,
                "input_tokens": call.input_tokens,
                "output_tokens": call.output_tokens,
                "cost_micros": call.cost_micros,
                "created_at": call.made_at,
            }
            for call in calls
        ]
        await insert_unless_there(self._session, AiUsageEventRow, rows)

    async def add_meter_event(self, event: MeterEvent) -> None:
        """See the port."""
        row: dict[str, object] = {
            "id": event.id,
            "user_id": event.user_id,
            "event": event.event,
            "quantity": event.quantity,
            "idempotency_key": event.idempotency_key,
            "created_at": event.created_at,
            "sent_at": event.sent_at,
        }
        await self._session.execute(insert(UsageMeterEventRow).values(row))

    async def meter_event(self, event_id: str) -> MeterEvent | None:
        """See the port."""
        row = await self._session.get(UsageMeterEventRow, event_id)
        if row is None:
            return None
        return MeterEvent(
            row.id, row.user_id, row.event, row.quantity, row.idempotency_key, row.created_at, row.sent_at
        )

    async def mark_sent(self, event_id: str, now: datetime) -> None:
        """See the port."""
        unsent = (UsageMeterEventRow.id == event_id, UsageMeterEventRow.sent_at.is_(None))
        await self._session.execute(update(UsageMeterEventRow).where(*unsent).values(sent_at=now))


def _used(user_id: str, month: str, counter: ColumnElement[int] | Any) -> ScalarSelect[Any]:
    wanted = select(counter).where(UsageMetricRow.user_id == user_id, UsageMetricRow.month == month)
    return wanted.scalar_subquery()


def _reserved(user_id: str, month: str, kind: QuotaKind) -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(UsageReservationRow)
        .where(
            UsageReservationRow.user_id == user_id,
            UsageReservationRow.month == month,
            UsageReservationRow.kind == kind,
            UsageReservationRow.state == ReservationState.RESERVED,
        )
        .scalar_subquery()
    )
