"""Steps: named pieces of a handler that a later run of its job does not repeat. To wait for a time or signal is one."""

from typing import NamedTuple

from penstock.domain.job import MAX_NAME
from penstock.errors import InvalidJob

NEVER = 253_402_300_799_000_000
"""The last second of the year 9999, in µs: until then waits who waits for a signal without a timeout."""

TIMED_OUT = b'{"timed_out":true}'
"""The result of a wait whose signal did not come in time."""


def came(data: bytes) -> bytes:
    """The result of a wait whose signal came with these data (JSON): wrapped, so that none looks like `TIMED_OUT`."""
    return b'{"data":' + data + b"}"


class Step(NamedTuple):
    """A step as it is stored. `result`: JSON, None while the job waits in it; `signal`: the one that it waits for;

    `until_at` (µs): when the wait is over all the same.
    """

    name: str
    result: bytes | None = None
    signal: str | None = None
    until_at: int | None = None


class Suspended(BaseException):
    """Ends a run whose job waits. Not an `Exception`, so that no handler takes it for a failure of its own.

    `until` in µs; `reason` is `sleep` or `signal`.
    """

    def __init__(self, until: int, reason: str) -> None:
        super().__init__(f"the job waits ({reason})")
        self.until = until
        self.reason = reason


def checked_step(what: str, name: object) -> str:
    """The name of a step or signal: 1 to 200 printable characters. Raises InvalidJob."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidJob(f"{what} must be 1 to {MAX_NAME} printable characters, not {name!r}")
    return name
