"""Reading what a learner asks for: the rules of each field, and the changes of a regeneration."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from systems.learning_plans.domain.entities import LearningStyle, SkillLevel, Wishes
from systems.learning_plans.domain.errors import Fault

MIN_TOPIC, MAX_TOPIC = 3, 200
MAX_NOTES = 2_000
MAX_HOURS = 80

FIELDS = ("topic", "notes", "skill_level", "weekly_hours", "learning_style", "start_date", "deadline_date")
CLEARABLE = frozenset({"notes", "start_date", "deadline_date"})
"""What a regeneration may set to null."""

ANY_WISHES = Wishes("any topic", None, SkillLevel.BEGINNER, 0, LearningStyle.MIXED)
"""Good ones, for looking at changes whatever the plan is that they are for."""

# Control characters and halves of surrogate pairs, which no database and no page takes.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` without what cannot be stored, line ends as `\\n`, nothing blank at its ends."""
    return _UNSTORABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def read_wishes(given: Mapping[str, Any]) -> tuple[Wishes | None, list[Fault]]:
    """The wishes, or None and everything that is wrong with them. Other keys are left alone."""
    reading = _Reading(given)
    topic, notes = reading.topic(), reading.notes()
    level = reading.one_of("skill_level", SkillLevel)
    style = reading.one_of("learning_style", LearningStyle)
    hours = reading.hours()
    start, deadline = reading.date("start_date"), reading.date("deadline_date")
    if reading.faults or topic is None or level is None or style is None or hours is None:
        return None, reading.faults
    return Wishes(topic, notes, level, hours, style, start, deadline), []


def merged(wishes: Wishes, overrides: Mapping[str, Any]) -> tuple[Wishes | None, list[Fault]]:
    """The wishes with those fields changed that `overrides` names, or None and everything that is wrong."""
    faults: list[Fault] = [
        (key, f"is no field that can be changed; they are {', '.join(FIELDS)}")
        for key in overrides
        if key not in FIELDS
    ]
    nulls = [key for key in FIELDS if key in overrides and overrides[key] is None and key not in CLEARABLE]
    faults += [(key, "must not be null") for key in nulls]
    asked = {key: value for key, value in overrides.items() if key in FIELDS and key not in nulls}
    found, more = read_wishes(as_json(wishes) | asked)
    return (None, faults + more) if faults or more else (found, [])


def as_json(wishes: Wishes) -> dict[str, Any]:
    """The wishes as plain JSON values, in the order of `FIELDS`."""
    return {
        "topic": wishes.topic,
        "notes": wishes.notes,
        "skill_level": wishes.skill_level.value,
        "weekly_hours": wishes.weekly_hours,
        "learning_style": wishes.learning_style.value,
        "start_date": None if wishes.start_date is None else wishes.start_date.isoformat(),
        "deadline_date": None if wishes.deadline_date is None else wishes.deadline_date.isoformat(),
    }


class _Reading:
    """Reads field by field and keeps the faults."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.faults: list[Fault] = []

    def topic(self) -> str | None:
        value = self._given.get("topic")
        topic = " ".join(clean(value).split()) if isinstance(value, str) else ""
        if MIN_TOPIC <= len(topic) <= MAX_TOPIC:
            return topic
        self._refuse("topic", f"must be a text of {MIN_TOPIC} to {MAX_TOPIC} characters")
        return None

    def notes(self) -> str | None:
        value = self._given.get("notes")
        if value is None:
            return None
        if not isinstance(value, str) or len(clean(value)) > MAX_NOTES:
            self._refuse("notes", f"must be a text of at most {MAX_NOTES:,} characters, or null")
            return None
        return clean(value) or None

    def hours(self) -> int | None:
        value = self._given.get("weekly_hours")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_HOURS:
            self._refuse("weekly_hours", f"must be a whole number from 0 to {MAX_HOURS}")
            return None
        return value

    def one_of(self, field: str, values: type[StrEnum]) -> Any:
        value = self._given.get(field)
        if isinstance(value, str) and value in set(values):
            return values(value)
        self._refuse(field, f"must be one of {', '.join(values)}")
        return None

    def date(self, field: str) -> date | None:
        value = self._given.get(field)
        if value is None:
            return None
        try:
            # A date, or the day of a time.
            return datetime.fromisoformat(value).date()
        except (TypeError, ValueError):
            self._refuse(field, "must be a date such as 2027-03-01, or null")
            return None

    def _refuse(self, field: str, problem: str) -> None:
        self.faults.append((field, problem))
