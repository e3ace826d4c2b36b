"""Rules about what follows from the end of a job: fan-ins, flows, hand-overs and events."""

from collections import Counter, defaultdict

from tests.chaos.case import FINAL, Case, Findings
from tests.chaos.evidence import Row


def check_fan_ins(case: Case) -> Findings:
    """Each child left `blocked` once, after the last of its parents had ended, and saw what they returned."""
    parents: dict[str, list[str]] = defaultdict(list)
    for parent, child in case.evidence.edges:
        parents[child].append(parent)
    for job, row in case.evidence.jobs.items():
        if row.kind == "collect":
            yield from _check_fan_in(case, row, parents.get(job, []))


def _check_fan_in(case: Case, child: Row, parents: list[str]) -> Findings:
    if len(parents) != child.data["parents"]:
        yield child.id, f"it was enqueued after {child.data['parents']} jobs, and waits for {len(parents)}"
    starts = [move for move in case.moves.get(child.id, ()) if move.old == "blocked" != move.new]
    if len(starts) != 1:
        yield child.id, f"it was let go {len(starts)} times"
    ends = [end for parent in parents if (end := case.end_of(parent)) is not None]
    if starts and (len(ends) < len(parents) or any(end.seq > starts[0].seq for end in ends)):
        yield child.id, "it was let go before the last of its parents had ended"
    counting = {(end.job, end.old_claim) for end in ends}
    done = [line.at for parent in parents for line in case.lines(parent, "end") if (line.job, line.claim) in counting]
    begun = [line.at for line in case.lines(child.id, "begin")]
    if begun and done and min(begun) < max(done):
        yield child.id, "its handler began before the work of its parents was done"
    completed = sum(end.new == "completed" for end in ends)
    if child.state == "completed" and child.result is not None and child.result["number"] != completed:
        yield child.id, f"it saw {child.result['number']} results of {completed}"


def check_flows(case: Case) -> Findings:
    """The counters of each flow are those of its jobs, and none is open."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for row in case.evidence.jobs.values():
        if row.flow is not None:
            states[row.flow][row.state] += 1
    for flow in case.evidence.flows:
        there = states.pop(flow.id, Counter())
        counted = {"completed": flow.completed, "failed": flow.failed, "cancelled": flow.cancelled}
        if flow.total != there.total() or any(there[state] != counted[state] for state in FINAL):
            yield flow.id, f"its counters are {flow.total} {counted}, its jobs {dict(there)}"
        if flow.open:
            yield flow.id, f"{flow.open} of its jobs are counted as open"
    for flow_id in states:
        yield flow_id, "its jobs are there without it"


def check_hand_overs(case: Case) -> Findings:
    """A run that ended its job in a transaction enqueued and published with it, once, and no other run did."""
    follows: dict[str, list[int]] = defaultdict(list)
    facts: dict[str, list[int]] = defaultdict(list)
    for row in case.evidence.jobs.values():
        if row.kind == "follow":
            follows[row.data["of"]].append(row.data["claim"])
    for event in case.evidence.events:
        if event.ends:
            facts[event.job].append(event.claim)
    for job, row in case.evidence.jobs.items():
        if row.kind == "piece" and row.data["number"] % 10 == 5:
            end = case.end_of(job)
            counting = [] if end is None or end.new != "completed" else [end.old_claim]
            if follows[job] != counting:
                yield job, f"completed under {counting}, it has follow-ups of {follows[job]}"
            if facts[job] != counting:
                yield job, f"completed under {counting}, it has events of {facts[job]}"


def check_events(case: Case) -> Findings:
    """Positions begin at 1 without a gap, each event has one, and those of one job are in its order."""
    events = case.evidence.events
    positions = [event.position for event in events if event.position is not None]
    if len(positions) < len(events):
        yield "the log", f"{len(events) - len(positions)} events have no position"
    if sorted(positions) != list(range(1, len(positions) + 1)):
        yield "the log", f"{len(positions)} positions, from {min(positions)} to {max(positions)}: not each one once"
    latest: dict[str, int] = {}
    for event in events:
        if event.position is not None:
            if event.position < latest.get(event.job, 0):
                yield event.job, "its events are not in the order in which it published them"
            latest[event.job] = event.position
    last = {(event.job, event.claim): event.position for event in events if event.ends and event.position is not None}
    for event in events:
        if event.position is not None and event.position > last.get((event.job, event.claim), event.position):
            yield event.job, "an event stands behind the one that was published with its end"
    witnessed = Counter(fact.job for fact in case.evidence.facts if fact.what == "event")
    for job, count in (witnessed - Counter(event.job for event in events)).items():
        yield job, f"{count} of its events are gone from the log"
