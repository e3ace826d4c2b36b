"""Listening to wake-ups."""

import asyncio

from penstock.store.base import Topics


class Ear:
    """What a store was told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Topics] = asyncio.Queue()

    async def hears(self, topic: str) -> None:
        """Wait until this was told."""
        async with asyncio.timeout(20):
            while topic not in await self.told.get():
                pass

    def heard(self) -> set[str]:
        """What was told since it was last asked."""
        return {topic for _ in range(self.told.qsize()) for topic in self.told.get_nowait()}
