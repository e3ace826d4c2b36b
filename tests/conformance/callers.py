"""The connections and sessions that applications have, each with a table of their own rows."""

import inspect
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

import aiosqlite
import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from penstock.store.sqlite import begin_immediate
from tests.conformance.databases import Database, PostgresDatabase, SqliteDatabase

KINDS = ("driver", "driver_async", "session", "connection", "async_session", "async_connection")
BLOCKING = ("driver", "session", "connection")
OWN_TABLE = "CREATE TABLE notes (text text)"


@dataclass(slots=True)
class Caller:
    """An open transaction of the application: `on` is what goes into `on=`."""

    on: Any

    async def insert(self) -> None:
        """Write a row of the application's own."""
        sql = "INSERT INTO notes DEFAULT VALUES"
        await _maybe(self.on.execute(text(sql) if "sqlalchemy" in type(self.on).__module__ else sql))

    async def commit(self) -> None:
        """Commit."""
        await _maybe(self.on.commit())

    async def rollback(self) -> None:
        """Roll back."""
        await _maybe(self.on.rollback())


async def _maybe(value: Any) -> None:
    if inspect.isawaitable(value):
        await value


@asynccontextmanager
async def calling(database: Database, kind: str) -> AsyncIterator[Caller]:
    """A caller of that kind, in an open transaction that may write."""
    if kind.startswith("driver"):
        async with _driver(database, is_async=kind == "driver_async") as on:
            yield Caller(on)
    elif kind.startswith("async"):
        async_engine = create_async_engine(database.alchemy_url(is_async=True))
        if database.name == "sqlite":
            begin_immediate(async_engine)
        try:
            async with AsyncSession(async_engine) if kind == "async_session" else async_engine.connect() as on:
                await on.begin()
                yield Caller(on)
        finally:
            await async_engine.dispose()
    else:
        engine = create_engine(database.alchemy_url(is_async=False))
        if database.name == "sqlite":
            begin_immediate(engine)
        try:
            with Session(engine) if kind == "session" else engine.connect() as on:
                on.begin()
                yield Caller(on)
        finally:
            engine.dispose()


@asynccontextmanager
async def _driver(database: Database, *, is_async: bool) -> AsyncIterator[Any]:
    match database, is_async:
        case SqliteDatabase(path), False:
            with closing(sqlite3.connect(path)) as on:
                on.execute("BEGIN IMMEDIATE")
                yield on
        case SqliteDatabase(path), True:
            async with aiosqlite.connect(path) as on:
                await on.execute("BEGIN IMMEDIATE")
                yield on
        case PostgresDatabase(url), False:
            with psycopg.connect(url) as on:
                yield on
        case PostgresDatabase(url), True:
            async with await psycopg.AsyncConnection.connect(url) as on:
                yield on
