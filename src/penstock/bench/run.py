"""One run of the benchmark."""

import asyncio
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from enum import StrEnum

from penstock.app import open_store
from penstock.bench.parts import Part, Setting
from penstock.bench.parts.drain import DRAIN
from penstock.bench.place import Database
from penstock.bench.report import Bar, Figure, Report, Sizes, StoreReport
from penstock.bench.sqlite import Sqlite
from penstock.errors import ConfigurationError, StoreUnavailable


class StoreName(StrEnum):
    """What can be measured."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


async def run_bench(
    stores: Sequence[StoreName],
    parts: Sequence[Part],
    sizes: Sizes,
    postgres_url: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure these stores, telling `say` how far it is.

    A store that cannot be reached is reported as not run; BenchError when jobs go wrong.
    """
    found = [await _measure(name, parts, sizes, postgres_url, say) for name in stores]
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    return Report(platform.python_version(), os.cpu_count() or 1, loop, sizes, tuple(_compared(found)))


async def _measure(
    name: StoreName, parts: Sequence[Part], sizes: Sizes, postgres_url: str | None, say: Callable[[str], None]
) -> StoreReport:
    async with AsyncExitStack() as stack:
        try:
            database: Database = Sqlite() if name is StoreName.SQLITE else await _postgres(stack, postgres_url)
        except (ConfigurationError, StoreUnavailable) as error:
            return StoreReport(name, "", not_run=str(error))
        setting = Setting(database, sizes, lambda text: say(f"{name}: {text}"))
        figures = [figure for part in parts for figure in await part.measure(setting)]
        return StoreReport(name, database.place, tuple(figures))


def _compared(found: Sequence[StoreReport]) -> list[StoreReport]:
    """The same, SQLite's with its drain beside PostgreSQL's where both were measured."""
    drains = {one.store: figure for one in found if (figure := one.find(DRAIN)) is not None}
    if drains.keys() < {StoreName.SQLITE, StoreName.POSTGRES}:
        return list(found)
    sqlite, postgres = drains[StoreName.SQLITE], drains[StoreName.POSTGRES]
    extra = Figure(
        "drain, beside PostgreSQL", "jobs/s", sqlite.engine, "our own drain on PostgreSQL", postgres.engine,
        Bar(least=1.0, of_ratio=True),
    )  # fmt: skip
    return [
        StoreReport(one.store, one.place, (*one.figures, extra), one.not_run) if one.store == StoreName.SQLITE else one
        for one in found
    ]


async def _postgres(stack: AsyncExitStack, url: str | None) -> Database:
    # An optional driver, without which SQLite is measured all the same. `open_store` says what to install.
    open_store("postgresql://localhost")
    from penstock.bench.server import postgres_to_measure  # noqa: PLC0415

    return await stack.enter_async_context(postgres_to_measure(url))
