"""One run of the benchmark."""

import asyncio
import os
import platform
from collections.abc import Sequence
from contextlib import AsyncExitStack
from enum import StrEnum

from penstock.app import open_store
from penstock.bench.parts import measure
from penstock.bench.place import Database
from penstock.bench.report import Report, Sizes, StoreReport
from penstock.bench.sqlite import Sqlite
from penstock.errors import ConfigurationError, StoreUnavailable


class StoreName(StrEnum):
    """What can be measured."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


async def run_bench(stores: Sequence[StoreName], sizes: Sizes, postgres_url: str | None = None) -> Report:
    """Measure these stores. A store that cannot be reached is reported as not run; BenchError when jobs go wrong."""
    found = [await _measure(name, sizes, postgres_url) for name in stores]
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    return Report(platform.python_version(), os.cpu_count() or 1, loop, sizes, tuple(found))


async def _measure(name: StoreName, sizes: Sizes, postgres_url: str | None) -> StoreReport:
    async with AsyncExitStack() as stack:
        try:
            database: Database = Sqlite() if name is StoreName.SQLITE else await _postgres(stack, postgres_url)
        except (ConfigurationError, StoreUnavailable) as error:
            return StoreReport(name, "", not_run=str(error))
        return StoreReport(name, database.place, await measure(database, sizes))


async def _postgres(stack: AsyncExitStack, url: str | None) -> Database:
    # An optional driver, without which SQLite is measured all the same. `open_store` says what to install.
    open_store("postgresql://localhost")
    from penstock.bench.server import postgres_to_measure  # noqa: PLC0415

    return await stack.enter_async_context(postgres_to_measure(url))
