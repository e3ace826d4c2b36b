"""Running programs over a pool, async or blocking: again after a deadlock, and without holding up other producers."""

import random
from contextlib import suppress
from typing import TypeVar

import psycopg

from penstock.store.base import Topics
from penstock.store.lanes import LaneCache, ensure_lanes, lanes_of
from penstock.store.postgres.failures import WORTH_ANOTHER_RUN, translated
from penstock.store.postgres.parameters import Statements
from penstock.store.postgres.pools import Pool
from penstock.store.postgres.transaction import INSIDE, UNDO_INSIDE, Frame, Run, SettledLanes
from penstock.store.postgres.wire import Trip, Wire
from penstock.store.program import Lane, LaneKey, NeedLanes, Program

R = TypeVar("R")

MAX_RERUNS = 5
"""How often a program is run again after a deadlock or a serialisation failure."""


class _LanesNeeded(Exception):
    """A program has begun its transaction and needs lanes that are not known."""

    def __init__(self, keys: tuple[LaneKey, ...]) -> None:
        super().__init__(keys)
        self.keys = keys


class Runner:
    """Programs over one pool. Lanes are made on a connection of their own and committed at once: made inside a
    program's transaction they would hold up every other producer of the same new lane until its end.
    """

    def __init__(self, pool: Pool, statements: Statements, lanes: LaneCache) -> None:
        self._pool = pool
        self._statements = statements
        self._lanes = lanes

    async def run(self, program: Program[R], frame: Frame) -> tuple[R, Topics]:
        """Run a program in one transaction; answers its result and whom to wake now.

        Raises what the program raises, StoreUnavailable, and psycopg's errors for what is wrong with the statement.
        """
        settled: SettledLanes = {}
        reruns = 0
        with translated():
            while True:
                try:
                    return await self._once(program, frame, settled)
                except _LanesNeeded as needed:
                    # Not on a second connection while the first is held: a full pool would wait for itself.
                    settled[needed.keys] = await self._find_lanes(needed.keys)
                except WORTH_ANOTHER_RUN:
                    reruns += 1
                    if reruns > MAX_RERUNS:
                        raise
                    await self._pool.pause(random.uniform(0.005, 0.02) * 2**reruns)  # noqa: S311 - jitter, no secret

    async def run_inside(self, wire: Wire, program: Program[R]) -> R:
        """Run a program inside the transaction that is open on the caller's connection, with its wake-ups.

        When it raises, nothing of it stays in that transaction, which can go on. Raises as `run`.
        """
        run = Run(program, INSIDE, self._statements, self._lanes)
        try:
            with translated():
                step = run.forward()
                while step is not None:
                    if isinstance(step, NeedLanes):
                        step = run.forward(await self._find_lanes(step.keys))
                    else:
                        step = run.forward(await wire.send(step))
        except BaseException:
            if run.begun:
                with suppress(psycopg.Error):  # a lost connection has nothing to undo
                    await wire.send(UNDO_INSIDE)
            raise
        finally:
            run.close()
        return run.result

    async def send(self, trip: Trip) -> None:
        """Send a trip of no program. Raises StoreUnavailable."""
        with translated():
            async with self._pool.wire() as wire:
                await wire.send(trip)

    async def _once(self, program: Program[R], frame: Frame, settled: SettledLanes) -> tuple[R, Topics]:
        run = Run(program, frame, self._statements, self._lanes)
        try:
            step = run.forward(settled=settled)
            while isinstance(step, NeedLanes):
                step = run.forward(await self._find_lanes(step.keys), settled)
            if step is not None:
                async with self._pool.wire() as wire:
                    await self._finish(run, step, wire, settled)
        finally:
            run.close()
        return run.result, run.topics

    async def _finish(self, run: Run[R], step: Trip | NeedLanes | None, wire: Wire, settled: SettledLanes) -> None:
        while step is not None:
            if isinstance(step, NeedLanes):
                raise _LanesNeeded(step.keys)
            step = run.forward(await wire.send(step), settled)

    async def _find_lanes(self, keys: tuple[LaneKey, ...]) -> list[Lane]:
        query = self._statements.bind(ensure_lanes(keys))
        async with self._pool.wire() as wire:
            rows = await wire.send((query,))
        found = lanes_of(rows)
        self._lanes.remember(found)
        return [found[key] for key in keys]
