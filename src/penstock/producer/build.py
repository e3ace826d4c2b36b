"""From data and options to a row: validated, sealed, measured, with everything a worker or leader needs to know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from penstock import codec
from penstock.clock import Clock
from penstock.domain.events import Event
from penstock.domain.flows import When
from penstock.domain.job import JobData, checked_name
from penstock.domain.options import EnqueueOptions
from penstock.domain.secret import REVEAL, SEALED
from penstock.errors import InvalidJob, PayloadTooLarge
from penstock.flows import FlowRef
from penstock.producer.handle import JobHandle
from penstock.sealing import Keyring, seal_all
from penstock.store.program import LaneKey
from penstock.store.programs.enqueue import NewJob
from penstock.store.programs.events import NewEvent

_MARK = f'"{SEALED}"'.encode()
_OPTIONS = frozenset(f.name for f in fields(EnqueueOptions))

After = "JobHandle | FlowRef | str | Iterable[JobHandle | FlowRef | str] | None"


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds rows under an engine's limits and keys."""

    clock: Clock
    keyring: Keyring
    max_payload_bytes: int

    def job(self, data: JobData, given: Mapping[str, Any], now: int, inherited_flow: str | None = None) -> NewJob:
        """The row of one enqueue. `given` are the caller's options (see `EnqueueOptions`), and `after` and `flow`."""
        if not isinstance(data, JobData):
            raise InvalidJob(f"enqueue takes an instance of a JobData subclass, not {type(data).__name__}")
        options, after, flow = _split(given)
        spec = data.job_kind
        given_id = options.checked_id()
        id_ = given_id or codec.new_id()
        text, seal_key = self._data(data, id_)
        keys = options.checked_keys()
        queue = spec.queue if options.queue is None else checked_name("queue", options.queue)
        if options.when is When.ANY_COMPLETED and not after:
            raise InvalidJob("when='any_completed' needs at least one job in after=")
        return NewJob(
            id=id_,
            lane=LaneKey(queue, spec.kind, keys["tenant"], seal_key),
            level=options.level(spec),
            max_attempts=options.attempts(spec),
            data=text,
            options=options.stored(spec),
            due_at=options.due_at(now),
            deadline_at=options.deadline_at(now),
            after=after,
            when=When(options.when),
            flow_id=flow or (None if after else inherited_flow),
            unique=options.unique_key(),
            concurrency_key=keys["concurrency_key"],
            concurrency_limit=options.concurrency_limit,
            given_id=given_id is not None,
        )

    def _data(self, data: JobData, job_id: str) -> tuple[bytes, str | None]:
        text = data.__pydantic_serializer__.to_json(data, context=REVEAL)
        seal_key = None
        if _MARK in text:
            text = codec.dumps(seal_all(codec.loads(text), self.keyring, job_id))
            seal_key = self.keyring.ids[0]
        if len(text) > self.max_payload_bytes:
            raise PayloadTooLarge(f"data of {data.job_kind.kind}", len(text), self.max_payload_bytes)
        return text, seal_key

    def event(self, event: Event, subject: str | None) -> NewEvent:
        """The row of one published event. Secrets in it are masked."""
        text = event.__pydantic_serializer__.to_json(event)
        if len(text) > self.max_payload_bytes:
            raise PayloadTooLarge(f"event {event.event_type}", len(text), self.max_payload_bytes)
        return NewEvent(event.event_stream, event.event_type, subject, text)


def _split(given: Mapping[str, Any]) -> tuple[EnqueueOptions, tuple[str, ...], str | None]:
    options = dict(given)
    after, flow = ids_of(options.pop("after", None)), options.pop("flow", None)
    unknown = options.keys() - _OPTIONS
    if unknown:
        known = ", ".join(sorted(_OPTIONS | {"after", "flow", "on"}))
        raise InvalidJob(f"unknown option {sorted(unknown)[0]!r}; known: {known}")
    if "when" in options:
        options["when"] = _when(options["when"])
    if "tags" in options:
        options["tags"] = tuple(options["tags"])
    return EnqueueOptions(**options), after, flow.id if isinstance(flow, FlowRef) else flow


def _when(value: object) -> When:
    try:
        return When(value)
    except ValueError:
        raise InvalidJob(f"when must be one of {', '.join(When)}, not {value!r}") from None


def ids_of(after: Any) -> tuple[str, ...]:
    """The ids of what `after=` names: a handle, flow or id, or several of them."""
    if after is None:
        return ()
    if isinstance(after, JobHandle | FlowRef):
        return (after.id,)
    if isinstance(after, str):
        return (after,)
    if isinstance(after, Iterable):
        return tuple(one for item in after for one in ids_of(item))
    raise InvalidJob(f"after= takes handles, flows or ids, not {type(after).__name__}")
