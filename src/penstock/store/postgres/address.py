"""What a database URL says: where the server is, and how Penstock is to talk to it."""

from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from penstock.errors import ConfigurationError

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_PREPARED = "penstock_prepared"

# A peer that vanished without a word is noticed within about half a minute, on every kind of connection; after a
# failover an address that still leads to a standby counts as not available.
_DEFAULTS: dict[str, Any] = {
    "application_name": "penstock",
    "client_encoding": "UTF8",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "target_session_attrs": "read-write",
}


class Address(NamedTuple):
    """`conninfo`: libpq's text, with our defaults where the URL is silent. `prepared`: keep statements prepared."""

    conninfo: str
    prepared: bool


def parse(url: str) -> Address:
    """Read `postgresql://…`; SQLAlchemy's `postgresql+psycopg://…` is understood too.

    `?penstock_prepared=off` is for a connection pooler that loses prepared statements (PgBouncer before 1.21 in
    transaction mode); it costs server CPU. Raises ConfigurationError for another scheme or a malformed URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ConfigurationError(f"the database URL must begin with postgresql://, not {parts.scheme or 'no scheme'}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    prepared = options.pop(_PREPARED, "on")
    if prepared not in ("on", "off"):
        raise ConfigurationError(f"{_PREPARED} in the database URL must be on or off, not {prepared!r}")
    # By hand: urlunsplit would drop the empty host of `postgresql:///app`, which means the local socket.
    plain = f"postgresql://{parts.netloc}{parts.path}" + (f"?{urlencode(options)}" if options else "")
    try:
        given = conninfo_to_dict(plain)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"the database URL cannot be read: {error}") from error
    return Address(make_conninfo(**{**_DEFAULTS, **given}), prepared == "on")
