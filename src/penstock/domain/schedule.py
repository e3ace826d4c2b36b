"""Schedules: cron lines with a time zone, and intervals. A tick is its name and UTC instant."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from penstock.domain.options import micros, moment_of
from penstock.errors import ConfigurationError


class Missed(StrEnum):
    """What becomes of ticks nobody was there for: the latest runs once, all run, or none."""

    LATEST = "latest"
    ALL = "all"
    SKIP = "skip"


_JUST_NOW_US = 60_000_000
"""A tick this old or younger counts as not missed."""
_FIRST_LOOK_BACK_US = 300_000_000
MAX_CATCH_UP = 1_000
"""Ticks enqueued at most for one schedule in one round under `Missed.ALL`; the next round goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a recurring job is enqueued: `cron` (five fields, in `tz`) or `every` (timedelta of at least a second)."""

    cron: str | None = None
    every: timedelta | None = None
    tz: str = "UTC"
    missed: Missed = Missed.LATEST

    def __post_init__(self) -> None:
        if (self.cron is None) == (self.every is None):
            raise ConfigurationError("Schedule needs either cron= or every=")
        if self.every is not None and self.every < timedelta(seconds=1):
            raise ConfigurationError(f"Schedule.every must be at least one second, not {self.every!r}")
        try:
            zone = ZoneInfo(self.tz)
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigurationError(f"Schedule.tz {self.tz!r} is not a time zone of this system") from None
        if self.cron is not None:
            if len(self.cron.split()) != 5:
                raise ConfigurationError(f"Schedule.cron {self.cron!r} must have five fields, as in '0 6 * * *'")
            try:
                CronSim(self.cron, datetime(2026, 1, 1, tzinfo=zone))
            except CronSimError as error:
                raise ConfigurationError(f"Schedule.cron {self.cron!r}: {error}") from None

    def next_after(self, time: int) -> int | None:
        """The first tick strictly after `time` (µs); None when the cron line never fires again.

        Daylight saving as cronsim does it (Debian cron's rules). Intervals are aligned to the epoch, so that every
        process computes the same ticks.
        """
        if self.every is not None:
            step = self.every // timedelta(microseconds=1)
            return (time // step + 1) * step
        assert self.cron is not None  # noqa: S101 - __post_init__ has seen to it
        for tick in CronSim(self.cron, moment_of(time).astimezone(ZoneInfo(self.tz))):
            at = micros("tick", tick.astimezone(UTC))
            # cronsim takes the second pass of an hour that daylight saving doubles for the first, and would go back.
            if at > time:
                return at
        return None

    def last_until(self, time: int) -> int:
        """The last tick at or before `time` (µs), given that there is one."""
        if self.every is not None:
            step = self.every // timedelta(microseconds=1)
            return time // step * step
        assert self.cron is not None  # noqa: S101 - __post_init__ has seen to it
        # Look back over a growing span, and walk forward in it: the rules of daylight saving then hold as they do for
        # next_after.
        back = _FIRST_LOOK_BACK_US
        while True:
            found, tick = None, self.next_after(time - back)
            while tick is not None and tick <= time:
                found, tick = tick, self.next_after(tick)
            if found is not None:
                return found
            back *= 8

    def due(self, next_at: int, now: int) -> tuple[list[int], int | None]:
        """The ticks to enqueue now, given that `next_at` was the next one, and the next one after them."""
        if next_at > now:
            return [], next_at
        if self.missed is Missed.ALL:
            ticks: list[int] = []
            tick: int | None = next_at
            while tick is not None and tick <= now and len(ticks) < MAX_CATCH_UP:
                ticks.append(tick)
                tick = self.next_after(tick)
            return ticks, tick
        # Found from now backwards, since there may be a year of them.
        latest = max(next_at, self.last_until(now))
        late = self.missed is Missed.SKIP and now - latest > _JUST_NOW_US
        return [] if late else [latest], self.next_after(now)
