"""How values cross the wire: ids and JSON as text, JSON parameters as the bytes they already are.

Never registered globally: the application around us may want psycopg's own ways.
"""

import psycopg
from psycopg import adapt
from psycopg.abc import AdaptContext
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import TextLoader

from penstock.codec import Column, JsonText


class _JsonTextDumper(adapt.Dumper):
    """Sends the bytes as text of unknown type, so that `json`, `jsonb` and `text` all take them."""

    def dump(self, obj: JsonText) -> bytes:
        return obj


class _ColumnDumper(adapt.Dumper):
    """Sends a JSON array of numbers, nulls and ids as the array literal that it is but for its brackets."""

    def dump(self, obj: Column) -> bytes:
        return b"{" + obj[1:-1] + b"}"


def register(context: AdaptContext) -> None:
    """Set up a cursor, a connection, or a map to make connections from."""
    adapters = context.adapters
    for type_name in ("uuid", "json", "jsonb"):
        adapters.register_loader(type_name, TextLoader)
    adapters.register_dumper(JsonText, _JsonTextDumper)
    adapters.register_dumper(Column, _ColumnDumper)
    # One width for all: the type is part of a prepared statement's key, and psycopg picks it by the size of the number.
    adapters.register_dumper(int, Int8Dumper)


OURS = adapt.AdaptersMap(psycopg.adapters)
"""The context of connections that we open ourselves."""

register(OURS)
