"""Doing together what several runs ask for at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from penstock.errors import StoreUnavailable
from penstock.worker.outage import Outage
from penstock.worker.pacing import Backoff
from penstock.worker.service import OnFailure, Service

A = TypeVar("A")
B = TypeVar("B")

_BATCH = 500


class _Asked(NamedTuple, Generic[A, B]):
    item: A
    answer: "asyncio.Future[B]"


class Batches(Service, Generic[A, B]):
    """Gives items to `work` in batches, answers in the same order: one batch under way, the next made of what comes

    meanwhile. While the store is away items wait; what else `work` raises is raised to all of a batch.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[A]], Awaitable[Sequence[B]]],
        outage: Outage,
        on_failure: OnFailure,
    ) -> None:
        super().__init__(name, on_failure)
        self._work = work
        self._outage = outage
        self._asked: list[_Asked[A, B]] = []
        self._there = asyncio.Event()

    async def start(self) -> None:
        """Begin to work."""
        self.hold(self._live())

    async def ask(self, item: A) -> B:
        """Have an item worked on. Cancelled meanwhile, it may be worked on all the same."""
        answer: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(item, answer))
        self._there.set()
        return await answer

    async def _live(self) -> None:
        while True:
            await self._there.wait()
            batch = [one for one in self._asked[:_BATCH] if not one.answer.done()]
            del self._asked[:_BATCH]
            if not self._asked:
                self._there.clear()
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: Sequence[_Asked[A, B]]) -> None:
        try:
            answers = await self._patiently([one.item for one in batch])
        except Exception as error:  # noqa: BLE001 - it is raised where the steps are awaited
            if len(batch) > 1:
                for one in batch:
                    await self._answer([one])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        for one, answer in zip(batch, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)

    async def _patiently(self, items: Sequence[A]) -> Sequence[B]:
        backoff = Backoff()
        while True:
            try:
                answers = await self._work(items)
            except StoreUnavailable as error:
                self._outage.began(error)
                await asyncio.sleep(backoff.next())
            else:
                self._outage.over()
                return answers
