"""Numbered migration files of a dialect, and the rules that say which schema this code may use.

Files are named `NNNN_name.sql`, numbered from 1 without gaps. The first line may be `-- compatible_from: N`: code whose
newest migration is below N must not run on the schema from here on. Without it the mark stays where it was.
"""

import re
from dataclasses import dataclass
from importlib.resources import files

from penstock.errors import ConfigurationError, SchemaError

_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_MARK = re.compile(r"-- compatible_from: (?P<number>\d+)\s*(\n|$)")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `compatible_from`: the oldest code (by its newest migration) that may use the schema after it."""

    number: int
    name: str
    sql: str
    compatible_from: int


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What the database records of itself; an empty database is (0, 1)."""

    version: int
    compatible_from: int


def load(package: str) -> list[Migration]:
    """The migrations of this package (`penstock.store.sqlite.migrations`), in order.

    Raises ConfigurationError for a file name that is not `NNNN_name.sql`, and for a number missing or given twice.
    """
    found = [file for file in files(package).iterdir() if file.name.endswith(".sql")]
    return collect({file.name: file.read_text("utf-8") for file in found})


def collect(texts: dict[str, str]) -> list[Migration]:
    """The migrations of these files (file name -> text), in order; raises as `load`."""
    found: list[Migration] = []
    mark = 1
    for file_name, sql in sorted(texts.items()):
        named = _FILE.fullmatch(file_name)
        if named is None:
            raise ConfigurationError(f"migration file {file_name!r} is not named NNNN_name.sql")
        number = int(named["number"])
        if number != len(found) + 1:
            raise ConfigurationError(f"migration file {file_name!r} should have the number {len(found) + 1:04}")
        marked = _MARK.match(sql)
        mark = int(marked["number"]) if marked else mark
        if mark > number:
            raise ConfigurationError(f"migration file {file_name!r}: compatible_from {mark} is above its own number")
        found.append(Migration(number, named["name"], sql, mark))
    return found


def check(state: SchemaState, newest: int) -> None:
    """Raise SchemaError when the schema asks for newer code than this, whose newest migration is `newest`."""
    if state.compatible_from > newest:
        raise SchemaError(
            f"the database is at schema {state.version} and needs code that knows schema {state.compatible_from} or "
            f"newer; this code knows schema {newest}: upgrade penstock"
        )


def pending(migrations: list[Migration], state: SchemaState) -> list[Migration]:
    """Those still to be applied, in order. Raises as `check`."""
    check(state, len(migrations))
    return [migration for migration in migrations if migration.number > state.version]
