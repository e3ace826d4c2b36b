"""The engine of one call of the program."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from penstock.app import Penstock
from penstock.cli.root import DATABASE
from penstock.errors import NotFound
from penstock.store.sqlite.connection import database_path

R = TypeVar("R")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def engine_of(ctx: typer.Context) -> Penstock:
    """The engine over the database this call names. Raises ConfigurationError."""
    return Penstock(ctx.meta.get(DATABASE))


def run(ctx: typer.Context, work: Callable[[Penstock], Awaitable[R]]) -> R:
    """Open the engine, do the work, close it.

    Raises NotFound when the SQLite file is not there: opening would create it, and a mistyped name would look like an
    empty database.
    """
    engine = engine_of(ctx)
    refuse_missing_file(engine.settings.database_url)

    async def session() -> R:
        async with engine:
            return await work(engine)

    return asyncio.run(session())


def refuse_missing_file(url: str) -> None:
    """Raise NotFound when the URL names a SQLite file that does not exist."""
    if url.startswith("sqlite:") and not (path := database_path(url)).exists():
        raise NotFound(
            f"there is no database file {path}: name another with --database or PENSTOCK_DATABASE_URL, "
            "or create it with `penstock migrate`"
        )
