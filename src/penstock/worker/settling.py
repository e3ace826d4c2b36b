"""From an outcome to the row that the completer writes."""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from penstock import codec
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Completed, Outcome, RunFacts, Settlement, completed, decide
from penstock.domain.retry import DEFAULT_RETRY, OwnDelay, load_policy
from penstock.domain.secret import SEALED
from penstock.store.program import LaneKey
from penstock.store.programs.settle import RunEnd
from penstock.worker.logs import get_logger

logger = get_logger(__name__)

_RNG = random.Random()  # noqa: S311 - jitter of retries, no secret
_NO_OPTIONS: Mapping[str, Any] = {}
_NO_DELAYS: Mapping[str, OwnDelay] = {}


def settle_run(
    claimed: ClaimedJob,
    outcome: Outcome,
    now: int,
    *,
    options: Mapping[str, Any] = _NO_OPTIONS,
    own_delays: Mapping[str, OwnDelay] = _NO_DELAYS,
    aging_step: int | None = None,
    started_at: int | None = None,
    solo: bool = False,
) -> RunEnd:
    """What becomes of a claimed job whose run came to `outcome` at `now` (µs). `solo`: it was claimed alone."""
    if isinstance(outcome, Completed):
        settlement = completed(claimed.attempts_before, claimed.losses_before, outcome.result)
        lane = _lane(claimed.queue, claimed.kind, claimed.tenant, solo)
        return RunEnd(claimed.id, claimed.claim_id, lane, settlement, started_at, claimed.tied)
    stored = options.get("retry")
    facts = RunFacts(
        claimed.level, claimed.attempts_before, claimed.losses_before, claimed.max_attempts,
        DEFAULT_RETRY if stored is None else load_policy(stored), aging_step, claimed.deadline_at, claimed.position,
        own_delays,
    )  # fmt: skip
    settlement = _decide(claimed, outcome, facts, now)
    lane = LaneKey(claimed.queue, claimed.kind, claimed.tenant, _seal_key(claimed, settlement, solo), solo)
    return RunEnd(claimed.id, claimed.claim_id, lane, settlement, started_at)


@lru_cache(maxsize=1024)
def _lane(queue: str, kind: str, tenant: str | None, solo: bool) -> LaneKey:
    return LaneKey(queue, kind, tenant, None, solo)


def _decide(claimed: ClaimedJob, outcome: Outcome, facts: RunFacts, now: int) -> Settlement:
    try:
        return decide(outcome, facts, now, _RNG)
    except Exception:
        if not facts.own_delays:
            raise
        # The kind's own delay function is a stranger's code; the job must end whatever that does.
        logger.exception(
            "the retry function of a kind failed; the default policy is used", job_id=claimed.id, kind=claimed.kind
        )
        return decide(outcome, replace(facts, own_delays=_NO_DELAYS), now, _RNG)


def _seal_key(claimed: ClaimedJob, settlement: Settlement, solo: bool) -> str | None:
    """The key of the job's lane; it matters only when the job moves to the lane of those claimed alone."""
    if solo or not settlement.solo or SEALED not in claimed.data:
        return None
    return _first_key(codec.loads(claimed.data))


def _first_key(value: Any) -> str | None:
    if isinstance(value, dict):
        if value.keys() == {SEALED}:
            return str(value[SEALED]).partition(".")[0]
        value = list(value.values())
    if isinstance(value, list):
        return next((key for item in value if (key := _first_key(item)) is not None), None)
    return None
