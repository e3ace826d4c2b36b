"""A steady stream of jobs while another connection holds a snapshot, and after it has let go."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from penstock.bench.jobs import Nothing, check_once
from penstock.bench.parts.part import Part, Setting
from penstock.bench.place import Ground
from penstock.bench.report import Bar, Figure, Spread, percentile
from penstock.bench.workers import crew

_TICK_S = 0.01
_SHARE = 6
"""The windows at the start and the end of the hold are this part of it; so long it also runs before and after."""
_PICKUP_MS = Bar(most=100)
_SETTLED = 2.0
_SETTLED_MS = 20.0
"""Recovered: p99 is at most twice what it was before the hold, or this."""
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Moment:
    """How the database stands: when (performance counter), dead rows, bytes."""

    at: float
    dead: int | None
    size: int


class _Stream:
    """Enqueues `rate` jobs a second, in each call as many as are due, until it is told that it is enough."""

    def __init__(self, ground: Ground, rate: int) -> None:
        self._engine = ground.engine
        self._rate = rate
        self.due: list[float] = []
        self.enough = False

    async def run(self) -> None:
        """Enqueue. A call that takes long makes the next one larger, and its jobs late: pickup counts from when due."""
        began = time.perf_counter()
        while not self.enough:
            await asyncio.sleep(_TICK_S)
            first, end = len(self.due), int((time.perf_counter() - began) * self._rate)
            self.due += [began + n / self._rate for n in range(first, end)]
            await self._engine.enqueue_many([Nothing(n=n) for n in range(first, end)])


async def _sustained(setting: Setting) -> list[Figure]:
    rate, hold_s = setting.sizes.rate, setting.sizes.sustained_s
    aside_s = hold_s / _SHARE
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(setting.database.ground())
        workers = await stack.enter_async_context(crew(ground.url))
        await workers.go()
        stream = _Stream(ground, rate)
        streaming = asyncio.create_task(stream.run())
        setting.say(f"{rate:,} jobs a second for {aside_s:g} s, then {hold_s:g} s with a snapshot held, then without")
        await asyncio.sleep(aside_s)
        async with ground.probe.hold():
            held = await _moment(ground)
            await asyncio.sleep(hold_s)
            released = await _moment(ground)
        await asyncio.sleep(aside_s)
        stream.enough = True
        await streaming
        await workers.until_completed(len(stream.due))
        await workers.stop()
    check_once([n for n, _ in workers.began], len(stream.due))
    pickups = sorted((at, (at - stream.due[n]) * 1_000) for n, at in workers.began)
    return _figures(pickups, held, released, aside_s, rate)


async def _moment(ground: Ground) -> _Moment:
    return _Moment(time.perf_counter(), await ground.probe.dead_rows(), await ground.probe.size())


def _figures(
    pickups: list[tuple[float, float]], held: _Moment, released: _Moment, window_s: float, rate: int
) -> list[Figure]:
    def p99(start: float, end: float) -> float:
        return percentile([delay for at, delay in pickups if start <= at < end] or [float("inf")], 0.99)

    during = sum(held.at <= at < released.at for at, _ in pickups) / (released.at - held.at)
    before = p99(0.0, held.at)
    figures = [
        _one("snapshot held, rate", "jobs/s", during, Bar(least=0.99 * rate)),
        _one("pickup p99 before", "ms", before),
        _one("pickup p99, hold's start", "ms", p99(held.at, held.at + window_s), _PICKUP_MS),
        _one("pickup p99, hold's end", "ms", p99(released.at - window_s, released.at), _PICKUP_MS),
        _one("pickup p99, after release", "ms", p99(released.at + window_s / 2, released.at + window_s)),
        _one("recovered after", "s", _recovery_s(pickups, released.at, before), Bar(most=10)),
        _one("database grew by", "MiB", (released.size - held.size) / _MIB),
    ]
    if held.dead is not None and released.dead is not None:
        figures.append(_one("dead rows at the hold's end", "rows", released.dead))
    return figures


def _recovery_s(pickups: list[tuple[float, float]], released: float, before: float) -> float:
    """Whole seconds after the release until p99 is settled; the seconds watched when it never was."""
    bound = max(_SETTLED * before, _SETTLED_MS)
    seconds: dict[int, list[float]] = {}
    for at, delay in pickups:
        if at >= released:
            seconds.setdefault(int(at - released), []).append(delay)
    restless = [second for second, delays in seconds.items() if percentile(delays, 0.99) > bound]
    return max(restless) + 1 if restless else 0


def _one(name: str, unit: str, value: float, bar: Bar | None = None) -> Figure:
    return Figure(name, unit, Spread(value, value, value), bar=bar)


SUSTAINED = (Part("snapshot", "1,000 jobs a second, two minutes of them while a snapshot is held", 170, _sustained),)
