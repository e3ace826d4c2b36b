"""A book of calls in memory."""

from datetime import timedelta

from systems.learning_plans.application.curation_ports import Clock, SearchFailed
from systems.learning_plans.domain.call_starts import CallStarts, next_turn


class MemoryBook:
    """The protocol `CallBook` for one test."""

    def __init__(self, clock: Clock, *, spacing_s: float = 8, daily_limit: int = 1_000) -> None:
        self.clock, self.spacing, self.daily_limit = clock, timedelta(seconds=spacing_s), daily_limit
        self.given: CallStarts | None = None

    async def take(self) -> float:
        turn = next_turn(self.given, self.clock.now(), self.spacing, self.daily_limit)
        if turn is None:
            raise SearchFailed("used up")
        self.given = turn.given
        return turn.wait_s
