"""What the leader does for everybody besides rescue: schedules tick, ended jobs and old calls are pruned, events get

positions, and the calls of lost runs are closed in the ledger.
"""

from datetime import timedelta
from functools import partial

from penstock.config import Settings
from penstock.ledger import Cost, cost_of
from penstock.store.base import Store
from penstock.store.programs.budgets import prune_windows
from penstock.store.programs.calls import close_lost_calls
from penstock.store.programs.events import number_events
from penstock.store.programs.sinks import prune_calls
from penstock.store.programs.upkeep import prune, tick
from penstock.worker.maintenance import Duty

TICK_S = 1.0
PRUNE_S = 60.0
NUMBER_S = 5.0
LEDGER_S = 20.0
PRUNE_LEDGER_S = 300.0
_BATCH = 1_000
_ROUNDS = 50
"""Batches pruned in a row at most, so that a large backlog does not keep the leader from its other duties."""


async def _tick(store: Store, now: int) -> None:
    await store.run(tick(now))


async def _prune(store: Store, now: int) -> None:
    for _ in range(_ROUNDS):
        if await store.run(prune(now, _BATCH), durable=False) < _BATCH:
            return


async def _number(store: Store, _now: int) -> None:
    # Readers number what they read; this keeps the unnumbered few where nobody reads.
    while await store.run(number_events(_BATCH), durable=False) >= _BATCH:
        pass


async def _close_lost_calls(cost: Cost, store: Store, now: int) -> None:
    await store.run(close_lost_calls(now, cost))


async def _prune_ledger(kept_us: int, store: Store, now: int) -> None:
    for prune_some in (prune_calls, prune_windows):
        for _ in range(_ROUNDS):
            if await store.run(prune_some(now - kept_us, _BATCH), durable=False) < _BATCH:
                break


def standard_duties(settings: Settings, cost: Cost = cost_of) -> tuple[Duty, ...]:
    """The duties of every worker's leader. `cost`: what calls cost."""
    kept_us = timedelta(days=settings.ledger_days) // timedelta(microseconds=1)
    return (
        Duty("schedules", TICK_S, _tick),
        Duty("retention", PRUNE_S, _prune),
        Duty("event log", NUMBER_S, _number),
        Duty("ledger", LEDGER_S, partial(_close_lost_calls, cost)),
        Duty("ledger retention", PRUNE_LEDGER_S, partial(_prune_ledger, kept_us)),
    )
