"""Named statements made ready for PostgreSQL: `:name` becomes `$1`, so that nothing is parsed again at a call."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from penstock.errors import ConfigurationError
from penstock.store import statements
from penstock.store.program import Call

# `:name`, or `:batch.name` for one column. Comments are dropped; text in quotes and `::type` are left as they are.
_TOKEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|::|:(?P<name>[A-Za-z_]\w*(?:\.[a-z_]+)?)")


class Query(NamedTuple):
    """One SQL statement on its way to the server. `prepare`: None leaves it to the connection's setting.

    `copy`: it is a COPY of these lines, and alone in its trip.
    """

    sql: bytes
    values: tuple[Any, ...] | None = None
    prepare: bool | None = None
    copy: bytes | None = None


class Statement(NamedTuple):
    """A named statement: its SQL with `$n`, and for each n a parameter, with its column in a batch or ""."""

    name: str
    sql: bytes
    parameters: tuple[tuple[str, str], ...]

    def bind(self, params: Mapping[str, Any]) -> Query:
        """With these values. Raises ConfigurationError when one that the SQL uses is missing."""
        try:
            return Query(self.sql, tuple([params[n].column(c) if c else params[n] for n, c in self.parameters]))
        except KeyError as error:
            raise ConfigurationError(f"statement {self.name!r} was not given its parameter {error}") from error


class Statements(dict[str, Statement]):
    """Statements by name."""

    def bind(self, call: Call) -> Query:
        """The query of a call. Raises ConfigurationError for an unknown statement or a missing parameter."""
        statement = self.get(call.statement)
        if statement is None:
            raise ConfigurationError(f"there is no SQL statement named {call.statement!r} for PostgreSQL")
        return statement.bind(call.params)


def prepare(texts: Mapping[str, str]) -> Statements:
    """Statements by name, as `statements.load` gives them, ready to run."""
    return Statements({name: _numbered(name, text) for name, text in texts.items()})


@cache
def own_statements() -> Statements:
    """The engine's statements."""
    return prepare(statements.load("penstock.store.postgres.sql"))


def _numbered(name: str, text: str) -> Statement:
    numbers: dict[str, int] = {}

    def token(found: re.Match[str]) -> str:
        parameter = found["name"]
        if parameter is not None:
            return f"${numbers.setdefault(parameter, len(numbers) + 1)}"
        return "" if found[0].startswith("--") else found[0]

    sql = _TOKEN.sub(token, text).strip().rstrip(";")
    return Statement(name, sql.encode(), tuple(map(_parted, numbers)))


def _parted(parameter: str) -> tuple[str, str]:
    name, _, column = parameter.partition(".")
    return name, column
