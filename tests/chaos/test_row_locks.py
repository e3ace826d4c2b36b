"""What the scenarios found, as small as it can be shown: somebody holds rows of PostgreSQL that a worker wants."""

import asyncio

import psycopg

from penstock import Job, Penstock
from tests.worker.working import Note, until, working


async def test_rows_that_somebody_holds_do_not_cost_the_lease(postgres_url: str) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def waits(job: Job[Note]) -> None:
        running.set()
        await go_on.wait()

    penstock = Penstock(postgres_url, lease_s=0.9)
    await penstock.store.migrate()
    async with (
        penstock,
        working(penstock, waits),
        await psycopg.AsyncConnection.connect(postgres_url) as holder,
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as observer,
    ):
        await penstock.enqueue(Note())
        await running.wait()
        # As a transaction of the worker's own loop does while a handler blocks the loop between two of its statements.
        await holder.execute("SELECT FROM penstock.jobs FOR UPDATE")

        async def beats() -> int:
            cursor = await observer.execute("SELECT max(beats) FROM penstock.workers")
            [(count,)] = await cursor.fetchall()
            return int(count)

        wanted = await beats() + 6

        async def beaten() -> bool:
            return await beats() >= wanted

        await until(beaten, "the beats of two leases")
        await holder.rollback()
        go_on.set()
