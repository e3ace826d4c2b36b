"""Settle: the fenced, batched end of runs, and what follows from an ended job. Also the writes of a run on its way."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from penstock import codec
from penstock.domain.outcomes import ErrorRecord, Settlement
from penstock.domain.states import JobState, Way
from penstock.store.program import Call, LaneKey, NeedLanes, Row, Steps, program, wake_queues
from penstock.store.programs.budgets import waits_for_budget, wake_budgeted
from penstock.store.programs.flow import Ended, after_end
from penstock.store.programs.steps import wake_signalled

_JOB_ID = attrgetter("job_id")
"""Batches are written in the order of their ids, so that two of them lock rows in the same order."""


@dataclass(slots=True)
class RunEnd:
    """One run that ends: its job and claim, where the job belongs, and the settlement decided for it.

    `started_at` (µs) is when the handler began, None if it never did. `tied`: `complete` may not end it, because the
    run did not complete, or something may follow from the job's end as far as its claim knew.
    """

    job_id: str
    claim_id: int
    lane: LaneKey
    settlement: Settlement
    started_at: int | None = None
    tied: bool = True


@program
def complete(ends: Sequence[RunEnd], now: int) -> Steps[set[str]]:
    """End plain runs, of different jobs, in one statement; answers the jobs that it left, mostly none.

    They are for `settle`: lost claims, requested cancels, and jobs that something was tied to after their claim.
    """
    ordered = sorted(ends, key=_JOB_ID)
    params = _completions(ordered, now) | {"count": len(ordered)}
    return {row[0] for row in (yield Call("complete_plain", params, only=True))}


def _completions(ends: Sequence[RunEnd], now: int) -> dict[str, object]:
    rows = codec.Batch(
        id=[end.job_id for end in ends],
        claim=[end.claim_id for end in ends],
        attempt=[end.settlement.attempt for end in ends],
        started=[end.started_at for end in ends],
    )
    # As a JSON string that holds JSON, so that both dialects store a bare string or boolean unchanged.
    results = [
        {"id": end.job_id, "claim": end.claim_id, "result": end.settlement.result.decode()}
        for end in ends
        if end.settlement.result is not None
    ]
    return {"rows": rows, "results": codec.rows(results), "now": now}


@program
def settle(ends: Sequence[RunEnd], now: int, worker: str) -> Steps[dict[str, JobState]]:
    """End a batch of runs; answers job id -> new state for those whose claim still held. The rest was refused."""
    states: dict[str, JobState] = {}
    left = list(ends)
    while left:
        # A late run may end together with a newer run of the same job: one after the other, to tell them apart.
        batch = {end.job_id: end for end in reversed(left)}
        states |= yield from _settle(list(batch.values()), now, worker)
        left = [end for end in left if batch[end.job_id] is not end]
    return states


def _settle(ends: Sequence[RunEnd], now: int, worker: str) -> Steps[dict[str, JobState]]:
    """`settle` for ends of different jobs."""
    ordered = sorted(ends, key=_JOB_ID)
    ended: list[Ended] = []
    states: dict[str, JobState] = {}
    completing = [end for end in ordered if end.settlement.way is Way.COMPLETE]
    if completing:
        for ids, *ties in (yield Call("complete", _completions(completing, now))):
            done = Ended(codec.loads(ids), JobState.COMPLETED, *ties)
            states.update(dict.fromkeys(done.ids, JobState.COMPLETED))
            ended.append(done)
    answer: list[Row] = []
    others = [end for end in ordered if end.job_id not in states]
    if others:
        solo = yield from _solo_lanes(others)
        rows = [_row(end, solo) for end in others]
        results = [row for row in rows if "result" in row]
        answer += yield Call("settle", {"rows": codec.rows(rows), "results": codec.rows(results), "now": now})
    states.update({row[0]: JobState(row[1]) for row in answer})
    yield from _record_errors([end for end in ordered if end.job_id in states], now, worker)
    held = {end.job_id: end.settlement for end in ends if end.job_id in states}
    ended += [Ended.of(row, unfinished=held[row[0]].unfinished or _was_stopped(row[1], held[row[0]])) for row in answer]
    # Most jobs are tied to nothing, and nothing follows from their completion.
    yield from after_end([job for job in ended if job.is_tied or job.state is not JobState.COMPLETED], now)
    waiting = [end.job_id for end in ends if end.settlement.reason == "signal" and end.job_id in states]
    if waiting:
        # A signal that came while the run was ending has found nobody who waits.
        yield from wake_signalled(waiting, now)
    held_up = [end.job_id for end in ends if waits_for_budget(end.settlement.reason) and end.job_id in states]
    if held_up:
        # So has a budget that was changed meanwhile.
        yield from wake_budgeted(held_up, now)
    ready = {end.lane.queue for end in ends if states.get(end.job_id) in (JobState.READY, JobState.SCHEDULED)}
    if ready:
        yield wake_queues(ready)
    return states


def _was_stopped(state: str, decided: Settlement) -> bool:
    """Whether the end was turned into `cancelled` by a request that came first."""
    return state == JobState.CANCELLED and decided.state is not JobState.CANCELLED


def _solo_lanes(ends: Sequence[RunEnd]) -> Steps[dict[LaneKey, int]]:
    keys = tuple({end.lane._replace(solo=True): None for end in ends if end.settlement.solo and not end.lane.solo})
    if not keys:
        return {}
    lanes = yield NeedLanes(keys)
    return {key: lane.id for key, lane in zip(keys, lanes, strict=True)}


def _row(end: RunEnd, solo: dict[LaneKey, int]) -> dict[str, object]:
    s = end.settlement
    row: dict[str, object] = {"id": end.job_id, "claim": end.claim_id, "state": s.state, "attempt": s.attempt}
    if s.losses:
        row["losses"] = s.losses
    if s.state is JobState.READY:
        row["position"] = s.position
    if s.due_at is not None:
        row["due"] = s.due_at
    if s.solo and not end.lane.solo:
        row["lane"] = solo[end.lane._replace(solo=True)]
    if end.started_at is not None:
        row["started"] = end.started_at
    if s.reason is not None:
        row["reason"] = plain(s.reason, 2_000)
    if s.result is not None:
        # As a JSON string that holds JSON, so that both dialects store a bare string or boolean unchanged.
        row["result"] = s.result.decode()
    return row


def _record_errors(ends: Sequence[RunEnd], now: int, worker: str) -> Steps[None]:
    rows = [_error_row(end, end.settlement.error) for end in ends if end.settlement.error is not None]
    if rows:
        yield Call("insert_errors", {"errors": codec.rows(rows), "worker": worker, "now": now})


def _error_row(end: RunEnd, error: ErrorRecord) -> dict[str, object]:
    return {
        "id": end.job_id,
        "attempt": end.settlement.attempt,
        "class": plain(error.error_class, 200),
        "message": plain(error.message, 10_000),
        "traceback": plain(error.traceback, 100_000),
        "started": end.started_at,
    }


def plain(text: str, limit: int) -> str:
    """Text as a database takes it: no NUL, no lone surrogates, at most `limit` characters (the end is kept)."""
    text = text.replace("\x00", "�").encode("utf-8", "replace").decode()
    return text if len(text) <= limit else "…" + text[1 - limit :]


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run: share from 0 to 1 or None, and a message or None."""

    job_id: str
    claim_id: int
    share: float | None
    message: str | None


@program
def write_progress(updates: Sequence[Progress], now: int) -> Steps[set[str]]:
    """Write progress of several runs; answers the jobs whose claim still held."""
    rows = [
        {"id": u.job_id, "claim": u.claim_id, "share": u.share}
        | ({} if u.message is None else {"message": plain(u.message, 2_000)})
        for u in sorted(updates, key=_JOB_ID)
    ]
    return {row[0] for row in (yield Call("write_progress", {"rows": codec.rows(rows), "now": now}, only=True))}
