"""Which database errors mean "not now", and which mean "run it again"."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from penstock.errors import ConfigurationError, StoreUnavailable

WORTH_ANOTHER_RUN = (errors.DeadlockDetected, errors.SerializationFailure)
"""40P01 and 40001: the server undid the transaction in favour of another."""

_NOT_NOW = (
    # Lost or refused connections, a server that stops or starts, no memory or disk, a lock not had in time.
    psycopg.OperationalError,
    # We were silent inside a transaction for too long; the server ended it.
    errors.IdleInTransactionSessionTimeout,
)

_LOST_PREPARED = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable for errors that mean "not now"; all others pass through."""
    try:
        yield
    except _NOT_NOW as error:
        raise StoreUnavailable(f"PostgreSQL is not available: {error}") from error
    except _LOST_PREPARED as error:
        raise ConfigurationError(
            f"prepared statements do not survive between here and the server ({error}); behind a connection pooler "
            "add ?penstock_prepared=off to the database URL"
        ) from error
