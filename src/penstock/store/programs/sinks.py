"""Usage sinks: what each is owed of the ledger, taken up, sent by others, and paid. And how long the ledger is kept.

A call is owed in the transaction that makes its tokens known for good (`close_calls`, `late_answers`), so that no death
of a process loses it; it is owed until its sink has said that it has it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from penstock import codec
from penstock.domain.metering import MeteredCall, Owed, Put
from penstock.domain.money import dollars
from penstock.domain.options import moment_of
from penstock.store.program import Call, Row, Steps, program


class SinkState(NamedTuple):
    """A sink that code has named, and since when; how many calls it is owed, the oldest of them closed at `oldest`; how

    many it has refused; the last problem. Times µs.
    """

    name: str
    since: int
    owed: int
    oldest: int | None
    refused: int
    problem: str | None


class RefusedCall(NamedTuple):
    """A call that a sink will not take as it is. Time µs."""

    call_id: str
    problem: str
    refused_at: int


@program
def declare_sinks(names: Sequence[str], now: int) -> Steps[None]:
    """From now on these sinks are owed what calls used."""
    for name in names:
        yield Call("declare_sink", {"name": name, "now": now})


@program
def take_owed(sink: str, now: int, until: int, limit: int) -> Steps[list[Owed]]:
    """Take up calls that are due, for a sender who reports (`settle_owed`) before `until`; else they are due again."""
    taken = yield Call("take_owed", {"sink": sink, "now": now, "until": until, "limit": limit})
    if not taken:
        return []
    marks = {id_: (tries, unsure_since) for id_, tries, unsure_since in taken}
    found = yield Call("metered_calls", {"ids": codec.ids(sorted(marks))})
    calls = [_metered(row) for row in found]
    gone = marks.keys() - {call.id for call in calls}
    if gone:  # of a sink that was forgotten once, and pruned since
        yield Call("pay_owed", {"sink": sink, "ids": codec.ids(sorted(gone))})
    return [Owed(call, *marks[call.id]) for call in calls]


@program
def settle_owed(sink: str, until: int, paid: Sequence[str], put: Sequence[Put]) -> Steps[None]:
    """Write what became of calls that were taken up until then."""
    if paid:
        yield Call("pay_owed", {"sink": sink, "ids": codec.ids(paid)})
    if put:
        rows = codec.rows([one._asdict() | {"sink": sink} for one in put])
        yield Call("put_owed", {"until": until, "rows": rows})


@program
def list_sinks() -> Steps[list[SinkState]]:
    """All sinks, by name."""
    return [SinkState(*row) for row in (yield Call("list_sinks", only=True))]


@program
def refused_calls(sink: str, limit: int = 1_000) -> Steps[list[RefusedCall]]:
    """What a sink has refused, the oldest first."""
    return [RefusedCall(*row) for row in (yield Call("refused_calls", {"sink": sink, "limit": limit}, only=True))]


@program
def retry_refused(sink: str, now: int) -> Steps[int]:
    """Send again what was refused; answers how many."""
    return len((yield Call("retry_refused", {"sink": sink, "now": now}, only=True)))


@program
def drop_refused(sink: str) -> Steps[int]:
    """Owe no longer what was refused; answers how many."""
    return len((yield Call("drop_refused", {"sink": sink}, only=True)))


@program
def forget_sink(sink: str) -> Steps[bool]:
    """Owe it nothing any more; False when it is not known."""
    return bool((yield Call("forget_sink", {"sink": sink})))


@program
def prune_calls(before: int, limit: int = 1_000) -> Steps[int]:
    """Delete calls opened before then: never open ones, never those that a sink is owed. Answers how many."""
    return len((yield Call("prune_calls", {"before": before, "limit": limit}, only=True)))


def _metered(row: Row) -> MeteredCall:
    id_, provider, model, outcome, opened, closed, sent, answered, cached, cost, *whose = row
    return MeteredCall(
        id_, provider, model, outcome, moment_of(opened), moment_of(closed), sent, answered, cached,
        None if cost is None else dollars(cost), *whose,
    )  # fmt: skip
