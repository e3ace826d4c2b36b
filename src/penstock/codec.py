"""JSON in and out, and ids."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import uuid_utils


class JsonText(bytes):
    """UTF-8 JSON, marked so that a driver passes it as JSON and not as binary."""

    __slots__ = ()


def dumps(value: Any) -> JsonText:
    """Compact JSON. What `raw` gave is taken over as it is."""
    return JsonText(orjson.dumps(value))


def loads(text: bytes | str) -> Any:
    """The value of JSON text."""
    # orjson takes bytes but none of its subclasses.
    return orjson.loads(bytes(text) if isinstance(text, JsonText) else text)


def raw(text: bytes) -> orjson.Fragment:
    """JSON text to be embedded by `dumps` without parsing it again."""
    # Exactly bytes: orjson takes no subclass.
    return orjson.Fragment(bytes(text))


def rows(values: Sequence[Mapping[str, Any]]) -> JsonText:
    """A batch parameter: a JSON array of objects."""
    return JsonText(orjson.dumps(values if isinstance(values, list) else list(values)))


def ids(values: Sequence[Any]) -> JsonText:
    """A list parameter: a JSON array of scalars."""
    return JsonText(orjson.dumps(values if isinstance(values, list) else list(values)))


def new_id() -> str:
    """A UUIDv7 in canonical text: ordered by time of creation, also within one process and millisecond."""
    return str(uuid_utils.uuid7())
