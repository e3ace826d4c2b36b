"""Sources in the database."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Update, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from systems.study_notes.application.repositories import Analysis, NewSource
from systems.study_notes.domain.lifecycle import SourceChange, SourceStatus, SourceType, Stage
from systems.study_notes.domain.records import Source
from systems.study_notes.infrastructure.tables import SourceRow


class SqlSources:
    """The port `Sources` on the caller's session; nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, source: NewSource, now: datetime) -> int:
        """See the port."""
        row = SourceRow(
            user_id=source.user_id,
            type=source.type,
            folder_id=source.folder_id,
            title=source.title,
            filename=source.filename,
            storage_path=source.storage_path,
            url=source.url,
            extracted_text=source.extracted_text,
            language_code=source.language_code,
            processing_status=SourceStatus.PENDING,
            processing_stage=source.stage,
            run_number=1,
            created_at=now,
            updated_at=now,
        )
        self._session.add(row)
        await self._session.flush()
        return row.id

    async def get(self, source_id: int) -> Source | None:
        """See the port."""
        return await self._found(source_id, lock=False)

    async def hold(self, source_id: int) -> Source | None:
        """See the port."""
        return await self._found(source_id, lock=True)

    async def text(self, source_id: int) -> str | None:
        """See the port."""
        statement = select(SourceRow.extracted_text).where(SourceRow.id == source_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def structure(self, source_id: int) -> Mapping[str, object] | None:
        """See the port."""
        statement = select(SourceRow.lesson_structure_json).where(SourceRow.id == source_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def metadata(self, source_id: int) -> Mapping[str, object]:
        """See the port."""
        statement = select(SourceRow.metadata_json).where(SourceRow.id == source_id)
        return (await self._session.execute(statement)).scalar_one_or_none() or {}

    async def change(self, source_id: int, change: SourceChange, now: datetime) -> bool:
        """See the port."""
        values: dict[str, Any] = {
            "processing_status": change.status,
            "processing_stage": change.stage,
            "processing_error": change.error,
            "failed_stage": change.failed_stage,
            "updated_at": now,
        }
        if change.new_run:
            values["run_number"] = SourceRow.run_number + 1
        return await self._updated(
            update(SourceRow)
            .where(SourceRow.id == source_id)
            .where(SourceRow.processing_status.in_(change.from_statuses))
            .where(_stage_in(change.from_stages))
            .values(values)
        )

    async def set_text(self, source_id: int, text: str, now: datetime) -> None:
        """See the port."""
        await self._set(source_id, now, extracted_text=text)

    async def set_analysis(self, source_id: int, analysis: Analysis, now: datetime) -> None:
        """See the port."""
        await self._set(
            source_id,
            now,
            title=analysis.title,
            language_code=analysis.language_code,
            lesson_structure_json=dict(analysis.structure),
            metadata_json=dict(analysis.metadata),
        )

    async def set_metadata(self, source_id: int, metadata: Mapping[str, object], now: datetime) -> None:
        """See the port."""
        await self._set(source_id, now, metadata_json=dict(metadata))

    async def set_flow(self, source_id: int, flow_id: str, now: datetime) -> None:
        """See the port."""
        await self._set(source_id, now, flow_id=flow_id)

    async def delete(self, source_id: int) -> None:
        """See the port; the database removes what hangs on it."""
        await self._session.execute(delete(SourceRow).where(SourceRow.id == source_id))

    async def _found(self, source_id: int, *, lock: bool) -> Source | None:
        # The session may hold the row as an earlier statement saw it: a compare-and-set goes past it.
        statement = select(SourceRow).where(SourceRow.id == source_id).execution_options(populate_existing=True)
        row = (await self._session.execute(statement.with_for_update() if lock else statement)).scalar_one_or_none()
        return None if row is None else _source(row)

    async def _set(self, source_id: int, now: datetime, **values: object) -> None:
        named = {getattr(SourceRow, name): value for name, value in values.items()}
        await self._updated(
            update(SourceRow).where(SourceRow.id == source_id).values({**named, SourceRow.updated_at: now})
        )

    async def _updated(self, statement: Update) -> bool:
        result = await self._session.execute(statement.execution_options(synchronize_session=False))
        return isinstance(result, CursorResult) and result.rowcount == 1


def _stage_in(stages: frozenset[Stage | None]) -> ColumnElement[bool]:
    named = SourceRow.processing_stage.in_([stage for stage in stages if stage is not None])
    return or_(named, SourceRow.processing_stage.is_(None)) if None in stages else named


def _source(row: SourceRow) -> Source:
    return Source(
        id=row.id,
        user_id=row.user_id,
        type=SourceType(row.type),
        status=SourceStatus(row.processing_status),
        stage=None if row.processing_stage is None else Stage(row.processing_stage),
        error=row.processing_error,
        failed_stage=None if row.failed_stage is None else Stage(row.failed_stage),
        run_number=row.run_number,
        flow_id=row.flow_id,
        folder_id=row.folder_id,
        title=row.title,
        filename=row.filename,
        storage_path=row.storage_path,
        url=row.url,
        language_code=row.language_code,
    )
