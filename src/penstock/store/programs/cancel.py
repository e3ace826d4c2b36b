"""Cancel and expire: the endings that come from outside a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock import codec
from penstock.domain.states import WAITING, JobState
from penstock.store.program import Call, Steps, Topic, Wake, program
from penstock.store.programs.flow import Ended, after_end
from penstock.store.programs.settle import plain


@dataclass(frozen=True, slots=True)
class CancelReport:
    """Ids by what the cancel did: ended while waiting, asked to stop, had already ended, unknown."""

    cancelled: list[str]
    stopping: list[str]
    ended: list[str]
    unknown: list[str]


@program
def cancel(ids: Sequence[str], now: int, reason: str) -> Steps[CancelReport]:
    """Cancel jobs: a waiting one ends now, a running one is asked to stop (its late result will be refused)."""
    return (yield from _cancel(sorted(set(ids)), now, reason))


@program
def cancel_flow(flow_id: str, now: int, reason: str) -> Steps[CancelReport | None]:
    """Cancel every open job of a flow; None when there is no such flow."""
    if not (yield Call("get_flow", {"flow_id": flow_id})):
        return None
    total = CancelReport([], [], [], [])
    seen: set[str] = set()
    while True:
        # Again until there is nothing new: a run may have added jobs before it was asked to stop. Jobs are locked
        # before their flow, as everywhere.
        found = {row[0] for row in (yield Call("open_jobs_of_flow", {"flow_id": flow_id}))} - seen
        if not found:
            return total
        seen |= found
        report = yield from _cancel(sorted(found), now, reason)
        total.cancelled.extend(report.cancelled)
        total.stopping.extend(report.stopping)


def _cancel(ids: Sequence[str], now: int, reason: str) -> Steps[CancelReport]:
    reason = plain(reason, 2_000)
    # Locked first, so that a claim or an ending cannot come between the two statements below.
    found = {row[0]: row for row in (yield Call("lock_jobs", {"ids": codec.ids(ids)}))}
    waiting = [id_ for id_, row in found.items() if JobState(row[1]) in WAITING]
    running = [id_ for id_, row in found.items() if row[1] == JobState.RUNNING]
    if running:
        yield Call("request_cancel", {"ids": codec.ids(running), "now": now, "reason": reason})
        yield Wake(frozenset(Topic.cancel(id_) for id_ in running))
    if waiting:
        ended = yield Call("cancel_waiting", {"ids": codec.ids(waiting), "now": now, "reason": reason})
        yield from after_end([Ended.of(row, unfinished=True) for row in ended], now)
    over = {*waiting, *running}
    return CancelReport(waiting, running, [i for i in found if i not in over], [i for i in ids if i not in found])


@program
def expire(now: int, limit: int = 500) -> Steps[int]:
    """Fail jobs whose deadline passed while they waited; answers how many."""
    ids = [row[0] for row in (yield Call("expired", {"now": now, "limit": limit}))]
    if not ids:
        return 0
    yield Call("lock_jobs", {"ids": codec.ids(sorted(ids))})
    ended = yield Call("expire_waiting", {"ids": codec.ids(sorted(ids)), "now": now})
    yield from after_end([Ended.of(row, unfinished=True) for row in ended], now)
    return len(ended)
