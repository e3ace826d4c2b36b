"""Visuals in the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from systems.study_notes.application.repositories import VisualResult
from systems.study_notes.domain.lifecycle import UNFINISHED_VISUAL, VisualStatus
from systems.study_notes.domain.placeholders import Placeholder
from systems.study_notes.domain.records import Visual, VisualCounts
from systems.study_notes.infrastructure.tables import VisualRow


class SqlVisuals:
    """The port `Visuals` on the caller's session; nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, visual_id: int) -> Visual | None:
        """See the port."""
        statement = select(VisualRow).where(VisualRow.id == visual_id).execution_options(populate_existing=True)
        row = (await self._session.execute(statement)).scalar_one_or_none()
        return None if row is None else visual_of(row)

    async def of_source(self, source_id: int) -> Sequence[Visual]:
        """See the port; in the order they were wanted."""
        statement = select(VisualRow).where(VisualRow.source_id == source_id).order_by(VisualRow.id)
        rows = await self._session.execute(statement.execution_options(populate_existing=True))
        return [visual_of(row) for row in rows.scalars()]

    async def counts(self, source_id: int) -> VisualCounts:
        """See the port."""
        statement = (
            select(VisualRow.status, func.count()).where(VisualRow.source_id == source_id).group_by(VisualRow.status)
        )
        found = {VisualStatus(status): count for status, count in await self._session.execute(statement)}
        return VisualCounts(
            total=sum(found.values()),
            finished=sum(count for status, count in found.items() if status.is_finished),
            failed=found.get(VisualStatus.FAILED, 0),
        )

    async def add_missing(self, source_id: int, placeholders: Sequence[Placeholder], now: datetime) -> list[int]:
        """See the port. The source is held by the caller, so that no other transaction inserts the same ones."""
        known = await self._ids(source_id)
        wanted = {placeholder.placeholder_id: placeholder for placeholder in placeholders}
        self._session.add_all(
            VisualRow(
                source_id=source_id,
                placeholder_id=key,
                concept=placeholder.concept,
                description=placeholder.description,
                search_query=placeholder.search_query,
                status=VisualStatus.PENDING,
                created_at=now,
                updated_at=now,
            )
            for key, placeholder in wanted.items()
            if key not in known
        )
        await self._session.flush()
        known = await self._ids(source_id)
        return [known[key] for key in wanted]

    async def start(self, visual_id: int, now: datetime) -> bool:
        """See the port."""
        return await self._updated(
            _unfinished(visual_id).values(status=VisualStatus.PROCESSING, error_message=None, updated_at=now)
        )

    async def finish(self, visual_id: int, result: VisualResult, now: datetime) -> bool:
        """See the port."""
        return await self._updated(
            _unfinished(visual_id).values(
                status=result.status,
                image_url=result.image_url,
                alt_text=result.alt_text,
                source_url=result.source_url,
                source_title=result.source_title,
                provider=result.provider,
                error_message=result.error_message,
                updated_at=now,
            )
        )

    async def _ids(self, source_id: int) -> dict[str, int]:
        statement = select(VisualRow.placeholder_id, VisualRow.id).where(VisualRow.source_id == source_id)
        return {placeholder_id: visual_id for placeholder_id, visual_id in await self._session.execute(statement)}

    async def _updated(self, statement: Update) -> bool:
        result = await self._session.execute(statement.execution_options(synchronize_session=False))
        return isinstance(result, CursorResult) and result.rowcount == 1


def _unfinished(visual_id: int) -> Update:
    return update(VisualRow).where(VisualRow.id == visual_id).where(VisualRow.status.in_(UNFINISHED_VISUAL))


def visual_of(row: VisualRow) -> Visual:
    """The visual as the rules see it."""
    return Visual(
        id=row.id,
        source_id=row.source_id,
        placeholder_id=row.placeholder_id,
        concept=row.concept,
        description=row.description,
        search_query=row.search_query,
        status=VisualStatus(row.status),
        image_url=row.image_url,
        alt_text=row.alt_text,
        source_url=row.source_url,
        source_title=row.source_title,
        provider=row.provider,
        error_message=row.error_message,
    )
