"""Programs: what the engine does to its tables, written once, free of I/O and of dialect.

A program is a generator that yields operations and receives rows. A store runs it in one transaction: on its own
connection or on the caller's, synchronously or not. So every write exists once for both stores, for async and sync
callers and for the simulation; the dialects differ only in their named statements (`sql/*.sql`).
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Generic, NamedTuple, ParamSpec, TypeAlias, TypeVar

R = TypeVar("R")
P = ParamSpec("P")
Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Run the named statement with these parameters (int, float, str, bool, None, JsonText, Batch); answers its rows.

    `only`: it is the one statement of its program, so that it needs no explicit transaction. `seeks`: it looks rows up,
    so a planner has to be held to the indexes; an INSERT of its parameters does not.
    """

    statement: str
    params: Mapping[str, Any] = field(default_factory=dict)
    only: bool = False
    seeks: bool = True


class LaneKey(NamedTuple):
    """What a lane holds together: jobs of one queue, kind, tenant and sealing key, claimed alone or not."""

    queue: str
    kind: str
    tenant: str | None = None
    seal_key: str | None = None
    solo: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane's number, and the settings of its queue that an enqueue needs."""

    id: int
    aging_step: int | None
    max_length: int | None


@dataclass(frozen=True, slots=True)
class NeedLanes:
    """Answers one `Lane` per key, creating lanes as needed."""

    keys: tuple[LaneKey, ...]


@dataclass(frozen=True, slots=True)
class Wake:
    """After the commit, wake whoever waits for these topics (see `Topic`); inside a caller's transaction, with it."""

    topics: frozenset[str]


class Topic:
    """The texts that travel with a wake-up. A queue has work; a job is asked to stop, or has streamed;

    the log has grown.
    """

    LOG = "log"

    @staticmethod
    def queue(name: str) -> str:
        """Work may be ready anywhere in this queue's order."""
        return f"q:{name}"

    @staticmethod
    def tail(name: str) -> str:
        """Work may be ready at the end of this queue's order: who has claimed so far need not look before that."""
        return f"t:{name}"

    @staticmethod
    def cancel(job_id: str) -> str:
        """The run of this job is to stop."""
        return f"c:{job_id}"

    @staticmethod
    def stream(job_id: str) -> str:
        """There is news in a stream of this job, or of one whose id ends alike: short, so that many go together."""
        return f"s:{job_id[-12:]}"


def anywhere(topic: str) -> str:
    """The topic without its promise that the work is at the end of a queue's order."""
    return topic if not topic.startswith("t:") else f"q:{topic[2:]}"


Op: TypeAlias = Call | NeedLanes | Wake
Steps: TypeAlias = Generator[Op, Any, R]
"""What a program function is: it yields operations, is sent their answers and returns R."""


class Program(Generic[R]):
    """A program with its arguments, ready to be run; running it again (after a deadlock) starts it afresh.

    Inside another program, `yield from` it.
    """

    __slots__ = ("_start", "name")

    def __init__(self, name: str, start: Callable[[], Steps[R]]) -> None:
        self.name = name
        self._start = start

    def __iter__(self) -> Steps[R]:
        return self._start()


def program(steps: Callable[P, Steps[R]]) -> Callable[P, Program[R]]:
    """Make a generator function answer a `Program`."""

    @wraps(steps)
    def bind(*args: P.args, **kwargs: P.kwargs) -> Program[R]:
        return Program(steps.__name__, lambda: steps(*args, **kwargs))

    return bind


def wake_queues(queues: Iterable[str], tails: Iterable[str] = ()) -> Wake:
    """A wake-up for work anywhere in `queues`, and at the end of `tails`."""
    anywhere = frozenset(queues)
    return Wake(frozenset(map(Topic.queue, anywhere)) | frozenset(Topic.tail(q) for q in tails if q not in anywhere))
