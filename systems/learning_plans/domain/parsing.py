"""Reading a plan out of a model's answer."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from systems.learning_plans.domain.classification import FailureClass
from systems.learning_plans.domain.entities import ModuleDraft, TaskDraft
from systems.learning_plans.domain.errors import AnswerRefused
from systems.learning_plans.domain.wishes import clean

MAX_CHARS = 200_000
MAX_TITLE = 500
MAX_MODULES = 12
MAX_TASKS = 20
# More minutes than a life has; a number beyond is clamped later all the same, but must fit a column until then.
_MOST_MINUTES = 10**9

_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n?(.*?)(?:```|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ParsedPlan:
    """The modules; `truncated` says that some, or some tasks, were too many, or a title too long."""

    modules: tuple[ModuleDraft, ...]
    truncated: bool


def parse_plan(text: str) -> ParsedPlan:
    """The plan in an answer.

    Raises `AnswerRefused`: `provider_error` for what is blank or no JSON, `validation` for what is too long or no plan.
    """
    if len(text) > MAX_CHARS:
        _refuse(f"the answer has {len(text):,} characters, more than {MAX_CHARS:,}")
    answer = _json_in(text)
    modules = answer.get("modules") if isinstance(answer, Mapping) else None
    if not isinstance(modules, list) or not modules:
        _refuse("the answer has no modules")
    reading = _Reading()
    found = tuple(reading.module(number, value) for number, value in enumerate(modules[:MAX_MODULES], 1))
    return ParsedPlan(found, reading.truncated or len(modules) > MAX_MODULES)


def _json_in(text: str) -> Any:
    fenced = _FENCE.search(text)
    body = (fenced.group(1) if fenced else text).strip()
    if not body:
        raise AnswerRefused(FailureClass.PROVIDER_ERROR, "the answer is empty")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AnswerRefused(FailureClass.PROVIDER_ERROR, "the answer is no JSON") from error


def _refuse(reason: str) -> NoReturn:
    raise AnswerRefused(FailureClass.VALIDATION, reason)


class _Reading:
    """Reads modules and tasks; remembers whether something was cut."""

    def __init__(self) -> None:
        self.truncated = False

    def module(self, number: int, value: Any) -> ModuleDraft:
        place = f"module {number}"
        fields = self._fields(place, value)
        tasks = fields.get("tasks")
        if not isinstance(tasks, list) or not tasks:
            _refuse(f"{place} has no tasks")
        self.truncated = self.truncated or len(tasks) > MAX_TASKS
        return ModuleDraft(
            title=self._title(place, fields),
            description=self._description(place, fields),
            estimated_minutes=self._minutes(place, fields),
            tasks=tuple(self._task(f"{place}, task {one}", task) for one, task in enumerate(tasks[:MAX_TASKS], 1)),
        )

    def _task(self, place: str, value: Any) -> TaskDraft:
        fields = self._fields(place, value)
        return TaskDraft(self._title(place, fields), self._description(place, fields), self._minutes(place, fields))

    def _fields(self, place: str, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            _refuse(f"{place} is no object")
        return value

    def _title(self, place: str, fields: Mapping[str, Any]) -> str:
        value = fields.get("title", fields.get("task"))
        title = " ".join(clean(value).split()) if isinstance(value, str) else ""
        if not title:
            _refuse(f"{place} has no title")
        self.truncated = self.truncated or len(title) > MAX_TITLE
        return title[:MAX_TITLE]

    def _description(self, place: str, fields: Mapping[str, Any]) -> str:
        value = fields.get("description", fields.get("summary"))
        if value is not None and not isinstance(value, str):
            _refuse(f"the description of {place} is no text")
        return clean(value or "")

    def _minutes(self, place: str, fields: Mapping[str, Any]) -> int:
        value = fields.get("estimated_minutes", fields.get("estimatedMinutes"))
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            _refuse(f"the minutes of {place} are no number")
        return round(min(_MOST_MINUTES, max(-_MOST_MINUTES, value)))
