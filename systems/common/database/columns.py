"""Column types and names that hold on SQLite and PostgreSQL alike."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, DateTime, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

NAMES: Mapping[str, str] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraint names follow one rule, so that a later migration can name them."""


class UtcTime(TypeDecorator[datetime]):
    """An aware time, stored in UTC and given back in UTC, also by SQLite, which keeps no zone.

    A time without a zone is refused (ValueError): nobody could say which moment it means.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Called by SQLAlchemy on the way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time with its zone is needed, got {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Called by SQLAlchemy on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AnyText(TypeDecorator[str]):
    """Text of any length. NUL and halves of surrogate pairs become U+FFFD, because PostgreSQL refuses them: what a
    learner or a model wrote must not fail in one database and pass in the other."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Called by SQLAlchemy on the way in."""
        return None if value is None else _UNSTORABLE.sub("\ufffd", value)


TYPES: dict[Any, Any] = {
    datetime: UtcTime(),
    str: AnyText(),
    # SQLite numbers rows by itself only in a column called INTEGER, which there holds 64 bits too.
    int: BigInteger().with_variant(Integer(), "sqlite"),
    # Python None is SQL NULL, never the JSON text `null`.
    dict[str, Any]: JSON(none_as_null=True),
    list[str]: JSON(),
}
"""Column types by annotation, for the `type_annotation_map` of a system's base class."""


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The column holds one of the values (or NULL where it may)."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
