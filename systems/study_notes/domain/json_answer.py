"""The JSON value in a model's answer, and lenient reading of its parts."""

import json
import re
from collections.abc import Mapping

from systems.study_notes.domain.errors import StageError
from systems.study_notes.domain.text import clean

_OPENING = re.compile(r"[{\[]")
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# A bracket in a sentence fails as JSON within a few characters; what goes on for longer was meant as JSON.
_PROSE_CHARS = 40
_NO_NAME = re.compile(r"[^a-z0-9]+")


def json_in(answer: str) -> object:
    """The object or list in `answer`: the longest one there is, so that code fences and words around it do no harm.

    Raises `StageError` when there is none, or when one is begun but broken or cut short: a part of it would pass for
    the whole.
    """
    # strict=False: models put raw line ends into strings.
    decoder = json.JSONDecoder(strict=False)
    best: object = None
    best_length = position = 0
    while found := _OPENING.search(answer, position):
        start = found.start()
        try:
            value, position = decoder.raw_decode(answer, start)
        except json.JSONDecodeError as error:
            if error.pos - start > _PROSE_CHARS or error.msg.startswith("Unterminated string"):
                raise StageError("the model's answer holds broken JSON") from error
            position = start + 1
            continue
        except (RecursionError, ValueError) as error:
            # ValueError: a number of more digits than Python reads.
            raise StageError("the model's answer is nested too deeply or holds a number too long") from error
        if position - start > best_length:
            best, best_length = value, position - start
    # The shortest values, {} and [], hold nothing and may come from the words around.
    if best_length <= len("{}"):
        raise StageError("the model's answer holds no JSON")
    return best


def snake(name: str) -> str:
    """`name` in snake_case: `contentType`, `Content-Type` and `CONTENT_TYPE` are `content_type`."""
    humps = _CAMEL_HUMP.sub("_", name)
    return _NO_NAME.sub("_", humps.lower()).strip("_")


def fields_of(value: object) -> dict[str, object]:
    """The members of a JSON object by snake_case name, nulls left out; nothing when `value` is no object."""
    if not isinstance(value, Mapping):
        return {}
    return {snake(str(name)): member for name, member in value.items() if member is not None}


def list_of(value: object) -> list[object]:
    """A JSON list as it is, nothing as an empty list, any other value as a list of one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def text_of(value: object) -> str | None:
    """A JSON value read as text: trimmed, None when blank or no text. Numbers are texts; of a list each text is a
    line; of an object its `text` or `content` counts."""
    if isinstance(value, str):
        return clean(value).strip() or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return "\n".join(texts_of(value)) or None
    members = fields_of(value)
    return text_of(members.get("text", members.get("content")))


def texts_of(value: object) -> tuple[str, ...]:
    """The texts of a list, blank ones left out."""
    return tuple(text for member in list_of(value) if (text := text_of(member)) is not None)


def number_of(value: object) -> int | None:
    """A whole number, also one written as text or with `.0`; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
    return value if isinstance(value, int) else None
