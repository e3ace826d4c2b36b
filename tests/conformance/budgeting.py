"""What tests of budgets share: a ledger with prices of its own, calls, and jobs that are held."""

from typing import Any

import pytest

from penstock import JobState, Penstock, codec
from penstock.ai import Budget
from penstock.context.resting import Resting, StepCaller
from penstock.domain.calls import CallScope, calling
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Snoozed
from penstock.domain.steps import Suspended
from penstock.ledger import Ledger
from penstock.ledger.book import Opened
from penstock.operations import BudgetView
from penstock.store.base import Store
from tests.support.engine import HandWorker, Work

MILLION = 1_000_000
"""What a token costs, in billionths of a dollar: a thousand tokens are a dollar."""


def cost(provider: str, model: str, sent: int | None, answered: int | None, cached: int | None = None) -> int | None:
    """Nobody knows what `dear` costs."""
    return None if model == "dear" or sent is None or answered is None else (sent + answered) * MILLION


def ledger_of(store: Store, *budgets: Budget) -> Ledger:
    return Ledger(store, cost, budgets=[budget.rule for budget in budgets])


def scope(tenant: str | None = "acme", kind: str = "work", flow: str | None = None) -> CallScope:
    return CallScope(codec.new_id(), 1, 1, kind, tenant, flow, "ask")


async def opened(ledger: Ledger, tokens: int = 1_000, whose: CallScope | None = None, model: str = "m") -> Opened:
    return await ledger.open("acme-ai", model, scope=whose, input_estimate=tokens, output_estimate=0)


async def closed(ledger: Ledger, call: Opened, tokens: int | None = 1_000, outcome: str = "answered") -> None:
    await ledger.close(call, outcome, input_tokens=tokens, output_tokens=None if tokens is None else 0)


async def called(ledger: Ledger, tokens: int = 1_000, whose: CallScope | None = None) -> None:
    await closed(ledger, await opened(ledger, tokens, whose), tokens)


async def one(engine: Penstock, name: str = "b") -> BudgetView:
    [found] = await engine.budgets.list(name)
    return found


async def amounts(engine: Penstock, name: str = "b") -> tuple[Any, Any]:
    found = await one(engine, name)
    return found.spent, found.reserved


async def suspended(ledger: Ledger, job: ClaimedJob, tokens: int = 1_000) -> Suspended:
    """What ends the run of a job that calls."""
    run = CallScope(job.id, job.claim_id, job.attempts_before + 1, job.kind, job.tenant, job.flow_id, "ask")
    with calling(StepCaller(run, Resting())), pytest.raises(Suspended) as raised:
        await opened(ledger, tokens)
    return raised.value


async def held(ledger: Ledger, worker: HandWorker, engine: Penstock, **options: object) -> ClaimedJob:
    """A job that waits for a budget."""
    await engine.enqueue(Work(), **options)
    job = await worker.claim_one()
    left = await suspended(ledger, job)
    assert await worker.settle(job, Snoozed(left.until, left.reason)) is JobState.SCHEDULED
    return job
