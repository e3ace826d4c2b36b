"""Mending answers that are nearly right: the JSON in a text, and nulls where a field may be absent. Pure."""

import json
import re
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

Value = TypeVar("Value")

_OPENING = re.compile(r"[{\[]")
# Strings are stepped over whole, so that a comma inside one is left alone.
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
# A bracket in a sentence fails as JSON within a few characters; what goes on for longer was meant as JSON.
_PROSE_CHARS = 40
_MOST_NULLS = 1_000


class NoJson(ValueError):
    """There is no JSON value in the text, or one that is broken or cut short."""


def json_in(text: str) -> str:
    """The JSON object or list in a text, as JSON: the longest one, without what stands around it.

    Code fences, words before and after, commas before a closing bracket and raw line ends in strings do no harm. A text
    that is one JSON value of any kind is answered as it is. Raises `NoJson`; a value that is begun but broken or cut
    short is never answered in part.
    """
    text = text.strip().removeprefix("\ufeff")
    if _is_json(text):
        return text
    try:
        start, end = _longest(text)
    except NoJson:
        mended = _STRING_OR_COMMA.sub(lambda found: found.group(1) or "", text)
        if mended == text:
            raise
        text = mended
        start, end = _longest(text)
    found = text[start:end]
    # Raw line ends in strings are let through above, but are no JSON.
    return found if _is_json(found) else json.dumps(json.loads(found, strict=False), ensure_ascii=False)


def without_nulls(text: str, adapter: TypeAdapter[Value]) -> Value:
    """The value in a JSON text, where nulls count as absent wherever the type allows absence but no null.

    Raises ValidationError, of the text as it was, when that does not make it right.
    """
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error
    data = json.loads(text)
    errors = first
    for _ in range(_MOST_NULLS):
        dropped = [_drop(data, problem["loc"]) for problem in errors.errors() if problem["input"] is None]
        if not any(dropped):
            break
        try:
            # As JSON again: python input is read more strictly (a list for a tuple, a text for a date).
            return adapter.validate_json(json.dumps(data))
        except ValidationError as error:
            errors = error
    raise first


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _longest(text: str) -> tuple[int, int]:
    """Where the longest object or list begins and ends."""
    decoder = json.JSONDecoder(strict=False)
    best = (0, 0)
    position = 0
    while found := _OPENING.search(text, position):
        start = found.start()
        try:
            _, position = decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            if error.pos - start > _PROSE_CHARS or error.msg.startswith("Unterminated string"):
                raise NoJson(f"the JSON in the answer is broken or cut short: {error.msg}") from None
            position = start + 1
            continue
        except (RecursionError, ValueError):
            raise NoJson("the JSON in the answer is nested too deeply, or has a number that is too long") from None
        if position - start > best[1] - best[0]:
            best = (start, position)
    # The shortest values, {} and [], hold nothing and may come from the words around.
    if best[1] - best[0] <= len("{}"):
        raise NoJson("the answer holds no JSON")
    return best


def _drop(data: Any, location: tuple[int | str, ...]) -> bool:
    """Take the null at a place of pydantic's out of its object. Says whether there was one.

    Places also name what is not in the data, as the members of unions: such a name is stepped over.
    """
    for step in location:
        inner = _inside(data, step)
        if isinstance(data, dict) and step in data and inner is None:
            del data[step]
            return True
        if inner is not None:
            data = inner
    return False


def _inside(data: Any, step: int | str) -> Any:
    if isinstance(data, dict):
        return data.get(step)
    if isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data):
        return data[step]
    return None
