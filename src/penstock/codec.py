"""JSON in and out, and ids."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import uuid_utils


class JsonText(bytes):
    """UTF-8 JSON, marked so that a driver passes it as JSON and not as binary."""

    __slots__ = ()


class Column(bytes):
    """A JSON array of numbers, nulls and ids: but for its brackets what PostgreSQL reads as an array."""

    __slots__ = ()


class Batch:
    """Rows as columns of numbers, nulls and ids. A statement takes what suits its database: `:batch.name` is a column,

    `:batch` all rows as JSON, an array each.
    """

    __slots__ = ("_columns",)

    def __init__(self, **columns: list[Any]) -> None:
        self._columns = columns

    def column(self, name: str) -> Column:
        """One column. Raises KeyError."""
        return Column(orjson.dumps(self._columns[name]))

    def rows(self) -> JsonText:
        """All columns, row by row, in the order in which they were given."""
        return JsonText(orjson.dumps(list(zip(*self._columns.values(), strict=True))))


class Texts(Batch):
    """JSON texts by id: columns `ids` and `data`; `rows` is an object. The ids differ, the texts are exactly bytes."""

    __slots__ = ()

    def __init__(self, ids: list[str], data: list[bytes]) -> None:
        super().__init__(ids=ids, data=data)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def ids(self) -> list[str]:
        """The ids, in order."""
        ids: list[str] = self._columns["ids"]
        return ids

    def joined(self, mark: str) -> str:
        """The texts in order, with a character between them that JSON has not in it."""
        return mark.encode().join(self._columns["data"]).decode()

    def column(self, name: str) -> Column:
        """One column; the texts as strings: an array of them costs PostgreSQL a third less than `json_each`."""
        if name != "data":
            return super().column(name)
        # JSON has no NUL in it: it holds the texts apart while their quotes are escaped.
        together = b"\0".join(self._columns["data"]).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        return Column(b'["' + together.replace(b"\0", b'","') + b'"]')

    def rows(self) -> JsonText:
        """The texts by id, as values."""
        ids, data = self._columns.values()
        return JsonText(orjson.dumps(dict(zip(ids, map(orjson.Fragment, data), strict=True))))


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


def new_ids(count: int) -> list[str]:
    """As many ids, in order."""
    make = uuid_utils.uuid7
    return [str(make()) for _ in range(count)]
