"""A program cut into trips to the server, without I/O: what opens its transaction travels with its first statement."""

from typing import Any, Generic, NamedTuple, TypeVar, assert_never

from penstock.store.base import Topics
from penstock.store.lanes import LaneCache
from penstock.store.postgres.copying import as_copy
from penstock.store.postgres.notify import notify_query
from penstock.store.postgres.parameters import Query, Statements
from penstock.store.postgres.wire import Trip
from penstock.store.program import Call, Lane, LaneKey, NeedLanes, Program, Wake, anywhere

R = TypeVar("R")

SettledLanes = dict[tuple[LaneKey, ...], list[Lane]]
"""Lanes found on behalf of one program, however long it takes."""


class Frame(NamedTuple):
    """What stands around a program's statements.

    begin: sent with the first; end: sent after the last; alone: sent before a statement that is the only one, instead
    of both; bare: the same, before one that seeks nothing. tells: wake-ups go with the last trip.
    """

    begin: Trip
    end: Trip
    alone: Trip = ()
    bare: Trip = ()
    tells: bool = False


def _fixed(sql: bytes) -> Query:
    return Query(sql, prepare=False)


# A process frozen between two statements holds its locks no longer than this; the server then ends its transaction.
_SILENCE_MS = "15000"
# Our statements look up a batch by its ids, or walk an index in order up to a limit. A plan made while a table was
# small, or without statistics, would rather read the table or collect all that fits, and goes on doing so when it is
# large. Set here and not when connecting, because poolers refuse or mix up what is set for a session. Without jit,
# which would start at the costs that the planner puts on a scan that is off and yet has to be.
_PLANNING = (
    b"set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), "
    b"set_config('jit', 'off', true)"
)
_SETTINGS = Query(b"SELECT set_config('idle_in_transaction_session_timeout', $1, true), " + _PLANNING, (_SILENCE_MS,))
_PLANS = Query(b"SELECT " + _PLANNING)
HASTE = Query(b"SELECT set_config('synchronous_commit', 'off', true)")
"""Ahead of a statement whose commit need not be waited for."""

_HASTY_PLANS = Query(b"SELECT set_config('synchronous_commit', 'off', true), " + _PLANNING)
_BEGIN = _fixed(b"BEGIN ISOLATION LEVEL READ COMMITTED")
_COMMIT = _fixed(b"COMMIT")

DURABLE = Frame(begin=(_BEGIN, _SETTINGS), end=(_COMMIT,), alone=(_PLANS,))
"""A transaction whose commit is on disk when it returns."""

HASTY = Frame(begin=(_BEGIN, _SETTINGS, HASTE), end=(_COMMIT,), alone=(_HASTY_PLANS,), bare=(HASTE,))
"""A transaction whose commit reaches the disk a little later."""

SNAPSHOT = Frame(
    begin=(_fixed(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), _SETTINGS), end=(_COMMIT,), alone=(_PLANS,)
)
"""A transaction that reads one state of the database."""

INSIDE = Frame(begin=(_fixed(b"SAVEPOINT penstock"),), end=(_fixed(b"RELEASE SAVEPOINT penstock"),), tells=True)
"""Inside the caller's transaction. The savepoint is for programs that refuse halfway: nothing of them stays."""

UNDO_INSIDE: Trip = (_fixed(b"ROLLBACK TO SAVEPOINT penstock"), _fixed(b"RELEASE SAVEPOINT penstock"))


class Run(Generic[R]):
    """One run of a program. After the last step `result` and `topics` hold what came out."""

    result: R

    def __init__(self, program: Program[R], frame: Frame, statements: Statements, lanes: LaneCache) -> None:
        self.topics: Topics = frozenset()
        self.begun = False
        self._name = program.name
        self._steps = iter(program)
        self._frame = frame
        self._statements = statements
        self._lanes = lanes
        self._alone = False
        self._ended = False

    def forward(self, answer: Any = None, settled: SettledLanes | None = None) -> Trip | NeedLanes | None:
        """Hand in the answer to the last step and get the next: a trip, lanes that are not known, or None at the end.

        `settled` is asked before the cache. Raises what the program raises.
        """
        if self._ended:
            return None
        try:
            operation = self._steps.send(answer)
            while not isinstance(operation, Call):
                if isinstance(operation, Wake):
                    self.topics |= operation.topics
                    operation = self._steps.send(None)
                elif isinstance(operation, NeedLanes):
                    lanes = (settled or {}).get(operation.keys) or self._lanes.get(operation.keys)
                    if lanes is None:
                        return operation
                    operation = self._steps.send(lanes)
                else:
                    assert_never(operation)
        except StopIteration as end:
            self.result = end.value
            return self._end()
        return self._trip(operation)

    def close(self) -> None:
        """Give the program up."""
        self._steps.close()

    def _trip(self, call: Call) -> Trip:
        copied = as_copy(call) if call.only and self._frame is DURABLE else None
        query = copied or self._statements.bind(call)
        if self._alone:
            raise RuntimeError(f"program {self._name!r} called {call.statement!r} after a call marked only=True")
        if self.begun:
            return (query,)
        if call.only:
            self._alone = True
            return (*(self._frame.alone if call.seeks else self._frame.bare), query)
        self.begun = True
        return (*self._frame.begin, query)

    def _end(self) -> Trip | None:
        self._ended = True
        trip = self._frame.end if self.begun else ()
        if self._frame.tells and self.topics:
            # Nobody knows when the caller commits: by then others may have claimed far beyond these jobs.
            trip = (*trip, notify_query(frozenset(map(anywhere, self.topics))))
        return trip or None
