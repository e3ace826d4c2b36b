"""Reading JSON that may hold anything."""

from collections.abc import Mapping
from datetime import UTC, datetime

Fields = Mapping[str, object]


def inner(fields: Fields, *names: str) -> Fields:
    """The object reached by these names, empty when there is none."""
    for name in names:
        found = fields.get(name)
        if not isinstance(found, dict):
            return {}
        fields = found
    return fields


def items(fields: Fields, name: str) -> list[Fields]:
    """The objects of a list, others left out."""
    found = fields.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(fields: Fields, name: str) -> str:
    """A text without blanks at its ends, empty when there is none."""
    found = fields.get(name)
    return found.strip() if isinstance(found, str) else ""


def moment(value: str) -> datetime | None:
    """An ISO 8601 time as an aware one (UTC unless it says otherwise), None when it is none."""
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
