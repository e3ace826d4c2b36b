"""Named SQL statements: read from the `.sql` files of a package folder.

A statement begins after a line `-- name: insert_jobs` and reaches to the next such line. Both dialects name the same
statements; each writes them in its own SQL.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from penstock.errors import ConfigurationError

_NAME_LINE = re.compile(r"^--[ \t]*name:[ \t]*(?P<name>[a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")


def load(package: str) -> dict[str, str]:
    """All statements of the `.sql` files in this package (`penstock.store.sqlite.sql`), as name -> text.

    The files are read once per process; the dict is the caller's own. Raises ConfigurationError when a name is given
    twice, a statement is empty, or a file has SQL before its first name.
    """
    return dict(_read(package))


def names(package: str) -> frozenset[str]:
    """The names of the statements in this package."""
    return frozenset(name for name, _ in _read(package))


@cache
def _read(package: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    origin: dict[str, str] = {}
    for file in sorted(files(package).iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        for name, text in parse(file.read_text("utf-8"), file.name):
            if name in found:
                raise ConfigurationError(f"statement {name!r} is in {origin[name]} and in {file.name}; name it once")
            found[name] = text
            origin[name] = file.name
    return tuple(found.items())


def parse(text: str, origin: str) -> Iterator[tuple[str, str]]:
    """The (name, statement) pairs of one file's text; `origin` names the file in errors."""
    marks = list(_NAME_LINE.finditer(text))
    head = text[: marks[0].start()] if marks else text
    if _COMMENT.sub("", head).strip():
        raise ConfigurationError(f"{origin} has SQL before its first '-- name: …' line; give that statement a name")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        statement = text[mark.end() : end].strip()
        if not _COMMENT.sub("", statement).strip():
            raise ConfigurationError(f"statement {mark['name']!r} in {origin} is empty; write its SQL")
        yield mark["name"], statement
