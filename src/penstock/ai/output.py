"""From a model's text to the value that was asked for."""

import json
import re
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from penstock.ai.errors import ModelErrorKind
from penstock.ai.repair import NoJson, json_in, without_nulls
from penstock.ai.request import AnyRequest

WRAPPED = "value"
"""Providers ask for objects: any other output travels as the only member of one."""
_MOST_ERRORS = 8


class Unusable(Exception):
    """An answer that cannot be used. `reason` is shown to the model when it is asked again.

    "provider_error": it cannot be read at all. "validation": it can, and does not fit.
    """

    def __init__(self, kind: ModelErrorKind, reason: str) -> None:
        super().__init__(reason)
        self.kind: ModelErrorKind = kind
        self.reason = reason


def schema_of(request: AnyRequest) -> tuple[str, dict[str, Any]]:
    """A name and the JSON schema, of an object, for a request with an output type."""
    schema = _adapter(request.output).json_schema()
    # Providers take no other signs in a name.
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(schema.get("title", "answer")))[:64]
    if _is_object(schema):
        return name, schema
    definitions = schema.pop("$defs", None)
    wrapped = {"type": "object", "properties": {WRAPPED: schema}, "required": [WRAPPED], "additionalProperties": False}
    return name, wrapped | ({"$defs": definitions} if definitions else {})


def read(request: AnyRequest, text: str, *, repair: bool) -> tuple[str, Any]:
    """The answer's text and its value. Raises `Unusable`."""
    if not text.strip():
        raise Unusable("provider_error", "the answer was blank")
    if request.output is None and not request.json:
        return text, text
    found = _json(text, repair=repair)
    if request.output is None:
        return found, found
    adapter = _adapter(request.output)
    try:
        return text, _value(adapter, found, repair=repair)
    except ValidationError as error:
        raise Unusable("validation", f"the answer does not fit what was asked for: {_told(error)}") from None


def _json(text: str, *, repair: bool) -> str:
    try:
        if repair:
            return json_in(text)
        json.loads(text)
    except NoJson as error:
        raise Unusable("provider_error", str(error)) from None
    except (ValueError, RecursionError) as error:
        raise Unusable("provider_error", f"the answer is no JSON: {error}") from None
    return text


def _value(adapter: TypeAdapter[Any], text: str, *, repair: bool) -> Any:
    if not _is_object(adapter.json_schema()):
        # Wrapped if the model did as it was told; bare if it knew better.
        data = json.loads(text)
        if isinstance(data, dict) and data.keys() == {WRAPPED}:
            text = json.dumps(data[WRAPPED])
    return without_nulls(text, adapter) if repair else adapter.validate_json(text)


def _adapter(output: Any) -> TypeAdapter[Any]:
    return output if isinstance(output, TypeAdapter) else _made_adapter(output)


@lru_cache(maxsize=256)
def _made_adapter(output: Any) -> TypeAdapter[Any]:
    # Making one costs more than most uses of it.
    return TypeAdapter(output)


def _is_object(schema: dict[str, Any]) -> bool:
    if (reference := schema.get("$ref")) is not None:
        schema = schema["$defs"][str(reference).removeprefix("#/$defs/")]
    return schema.get("type") == "object"


def _told(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    lines = [f"{'.'.join(str(step) for step in problem['loc']) or 'value'}: {problem['msg']}" for problem in problems]
    more = len(lines) - _MOST_ERRORS
    return "; ".join(lines[:_MOST_ERRORS]) + (f"; and {more} more" if more > 0 else "")
