"""From data and options to a row: validated, sealed, measured, with everything a worker or leader needs to know."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from penstock import codec
from penstock.clock import Clock
from penstock.domain.events import Event
from penstock.domain.flows import When
from penstock.domain.job import JobData, KindSpec, checked_name
from penstock.domain.options import EnqueueOptions, canonical_id
from penstock.domain.secret import REVEAL, SEALED
from penstock.errors import InvalidJob, PayloadTooLarge
from penstock.flows import FlowRef
from penstock.producer.handle import JobHandle
from penstock.sealing import Keyring, seal_all
from penstock.store.program import LaneKey
from penstock.store.programs.events import NewEvent
from penstock.store.programs.new import Alike, NewJob, Template

_MAX_SUBJECT = 512
# An escaped NUL: PostgreSQL has no text with one, so neither store takes it. (Not after an escaped backslash.)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MARK = f'"{SEALED}"'.encode()
_NUL_TEXT = b"\\u0000"
_OPTIONS = frozenset(f.name for f in fields(EnqueueOptions))
# What ties a job to others, or gives it an id that may exist.
_TIES = frozenset({"after", "flow", "when", "unique", "id"})

After = "JobHandle | FlowRef | str | Iterable[JobHandle | FlowRef | str] | None"


class _Kind(NamedTuple):
    """What the options of an enqueue mean for its jobs of one kind. Times µs."""

    lane: LaneKey
    level: int
    max_attempts: int
    options: Mapping[str, Any]
    due_at: int | None
    deadline_at: int | None
    concurrency_key: str | None

    @classmethod
    def of(cls, spec: KindSpec, options: EnqueueOptions, now: int) -> "_Kind":
        """Raises as `EnqueueOptions` does."""
        keys = options.checked_keys()
        return cls(
            LaneKey(_queue(spec, options), spec.kind, keys["tenant"]), options.level(spec), options.attempts(spec),
            options.stored(spec), options.due_at(now), options.deadline_at(now, spec), keys["concurrency_key"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds rows under an engine's limits and keys."""

    clock: Clock
    keyring: Keyring
    max_payload_bytes: int
    _plain: dict[type[JobData], Template] = field(default_factory=dict)

    def alike(self, data: Sequence[JobData], given: Mapping[str, Any], now: int) -> Alike | None:
        """The rows of one enqueue of jobs of one class that carry no secrets and are tied to nothing; else None.

        `given` as for `job`, which says what is wrong with an option or with data.
        """
        if not data or (given and not _TIES.isdisjoint(given)):
            return None
        cls = type(data[0])
        if not issubclass(cls, JobData):
            return None
        if len(data) > 1 and len(set(map(type, data))) > 1:
            return None
        serialise = cls.__pydantic_serializer__.to_json
        texts = [serialise(item, context=REVEAL) for item in data]
        # Looked through at once: that is several times quicker than one by one.
        together = b"".join(texts)
        if _MARK in together:
            return None
        limit = self.max_payload_bytes
        if (len(together) > limit and max(map(len, texts)) > limit) or _NUL_TEXT in together:
            for text in texts:
                self._check(f"data of {cls.job_kind.kind}", text)
        template = (None if given else self._plain.get(cls)) or self._template(cls, given, now)
        return Alike(template, codec.new_ids(len(texts)), texts)

    def _template(self, cls: type[JobData], given: Mapping[str, Any], now: int) -> Template:
        spec = cls.job_kind
        options, _, _ = _split(given)
        keys = options.checked_keys()
        stored = options.stored(spec)
        template = Template(
            lane=LaneKey(_queue(spec, options), spec.kind, keys["tenant"]),
            level=options.level(spec),
            max_attempts=options.attempts(spec),
            options=codec.dumps(stored) if stored else None,
            due_at=options.due_at(now),
            deadline_at=options.deadline_at(now, spec),
            concurrency_key=keys["concurrency_key"],
            concurrency_limit=options.concurrency_limit if keys["concurrency_key"] is not None else None,
        )
        if not given and template.deadline_at is None:
            self._plain[cls] = template
        return template

    def job(self, data: JobData, given: Mapping[str, Any], now: int) -> NewJob:
        """The row of one enqueue. `given` are the caller's options (see `EnqueueOptions`), and `after` and `flow`."""
        return self.jobs([data], given, now)[0]

    def jobs(
        self, data: Sequence[JobData], given: Mapping[str, Any], now: int, inherited_flow: str | None = None
    ) -> list[NewJob]:
        """The rows of one enqueue; `given` as for `job`. What the options say is found out once for each kind."""
        options, after, flow = _split(given)
        given_id, unique = options.checked_id(), options.unique_key()
        if options.when is When.ANY_COMPLETED and not after:
            raise InvalidJob("when='any_completed' needs at least one job in after=")
        in_flow = flow or (None if after else inherited_flow)
        kinds: dict[type[JobData], _Kind] = {}
        jobs: list[NewJob] = []
        for item in data:
            if not isinstance(item, JobData):
                raise InvalidJob(f"enqueue takes an instance of a JobData subclass, not {type(item).__name__}")
            kind = kinds.get(type(item))
            if kind is None:
                kind = kinds[type(item)] = _Kind.of(item.job_kind, options, now)
            id_ = given_id or codec.new_id()
            text, seal_key = self._data(item, id_)
            if unique is not None and unique.replace and seal_key is not None:
                raise InvalidJob(
                    "unique with replace=True: sealed secrets are bound to one job and cannot replace another's"
                )
            jobs.append(
                NewJob(
                    id=id_,
                    lane=kind.lane if seal_key is None else kind.lane._replace(seal_key=seal_key),
                    level=kind.level,
                    max_attempts=kind.max_attempts,
                    data=text,
                    options=kind.options,
                    due_at=kind.due_at,
                    deadline_at=kind.deadline_at,
                    after=after,
                    when=When(options.when),
                    flow_id=in_flow,
                    unique=unique,
                    concurrency_key=kind.concurrency_key,
                    concurrency_limit=options.concurrency_limit,
                    given_id=given_id is not None,
                )
            )
        return jobs

    def _data(self, data: JobData, job_id: str) -> tuple[bytes, str | None]:
        text = data.__pydantic_serializer__.to_json(data, context=REVEAL)
        seal_key = None
        if _MARK in text:
            text = codec.dumps(seal_all(codec.loads(text), self.keyring, job_id))
            seal_key = self.keyring.ids[0]
        self._check(f"data of {data.job_kind.kind}", text)
        return text, seal_key

    def _check(self, what: str, text: bytes) -> None:
        if len(text) > self.max_payload_bytes:
            raise PayloadTooLarge(what, len(text), self.max_payload_bytes)
        if _NUL_TEXT in text and _NUL.search(text):
            raise InvalidJob(f"{what} has text with a NUL character, which databases do not take; remove it")

    def event(self, event: Event, subject: str | None) -> NewEvent:
        """The row of one published event. Secrets in it are masked."""
        text = event.__pydantic_serializer__.to_json(event)
        self._check(f"event {event.event_type}", text)
        if subject is not None and not (0 < len(subject) <= _MAX_SUBJECT and subject.isprintable()):
            raise InvalidJob(f"subject must have 1 to {_MAX_SUBJECT} printable characters, not {subject[:80]!r}")
        return NewEvent(event.event_stream, event.event_type, subject, text)


def _queue(spec: KindSpec, options: EnqueueOptions) -> str:
    return spec.queue if options.queue is None else checked_name("queue", options.queue)


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
    return EnqueueOptions(**options), after, None if flow is None else _known("flow", flow)


def _known(what: str, given: object) -> str:
    """The id of a handle, flow or id, in canonical form."""
    if isinstance(given, JobHandle | FlowRef):
        return given.id
    id_ = canonical_id(given)
    if id_ is None:
        raise InvalidJob(f"{what}= takes a handle, a flow or an id (a UUID), not {given!r}")
    return id_


def _when(value: Any) -> When:
    try:
        return When(value)
    except ValueError:
        raise InvalidJob(f"when must be one of {', '.join(When)}, not {value!r}") from None


def ids_of(after: Any) -> tuple[str, ...]:
    """The ids of what `after=` names: a handle, flow or id, or several of them."""
    if after is None:
        return ()
    if isinstance(after, JobHandle):
        return (after.id,)
    if isinstance(after, Iterable) and not isinstance(after, str):
        return tuple([one for item in after for one in ids_of(item)])
    return (_known("after", after),)
