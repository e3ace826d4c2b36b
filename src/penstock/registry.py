"""What a worker can run: handlers by kind. One registry per worker; nothing is process-wide."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from penstock.domain.job import JobData, KindSpec
from penstock.errors import ConfigurationError

Call = Callable[[Any], Awaitable[Any] | Any]


@dataclass(frozen=True, slots=True)
class HandlerEntry:
    """One kind's handler. `call` takes the `Job`; `results` validates and dumps what it returns (None: no result)."""

    spec: KindSpec
    data_type: type[JobData]
    call: Call
    is_async: bool
    results: TypeAdapter[Any] | None
    name: str


class Registry:
    """Handlers by kind and by the kinds' older names.

    A handler is an object with `process_job(job)`, sync or async, or a plain (async) function of one argument. Its data
    type comes from its `handles` attribute, else from the annotation `job: Job[MyData]`.
    """

    def __init__(self, handlers: Iterable[object]) -> None:
        self._entries: dict[str, HandlerEntry] = {}
        for handler in handlers:
            entry = _entry(handler)
            for kind in (entry.spec.kind, *entry.spec.aliases):
                if kind in self._entries:
                    raise ConfigurationError(
                        f"kind {kind!r} has two handlers: {self._entries[kind].name} and {entry.name}"
                    )
                self._entries[kind] = entry

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds this registry can run, older names included, sorted."""
        return tuple(sorted(self._entries))

    @property
    def queues(self) -> frozenset[str]:
        """The queues its kinds belong to by default."""
        return frozenset(entry.spec.queue for entry in self._entries.values())

    @property
    def steps(self) -> dict[str, tuple[str, ...]]:
        """The steps that kinds declare, by kind; older names of a kind declare the same."""
        return {kind: entry.spec.steps for kind, entry in self._entries.items() if entry.spec.steps}

    def find(self, kind: str) -> HandlerEntry | None:
        """The handler of a kind, None when there is none."""
        return self._entries.get(kind)


def _entry(handler: object) -> HandlerEntry:
    call = getattr(handler, "process_job", handler)
    name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    if inspect.isclass(handler):
        raise ConfigurationError(
            f"{name} is a class; give an instance, so that its dependencies come through its constructor"
        )
    if not callable(call):
        raise ConfigurationError(f"{name} has no process_job(job) and is not a function")
    hints = _hints(call)
    data_type = getattr(handler, "handles", None) or _annotated_data(call, hints)
    if not (inspect.isclass(data_type) and issubclass(data_type, JobData)) or "job_kind" not in vars(data_type):
        raise ConfigurationError(
            f"{name} does not say what it handles: set `handles = MyJobData` or annotate `job: Job[MyJobData]`"
        )
    returns = hints.get("return", Any)
    results = None if returns is type(None) else TypeAdapter(returns)
    return HandlerEntry(data_type.job_kind, data_type, call, inspect.iscoroutinefunction(call), results, name)


def _hints(call: Call) -> Mapping[str, Any]:
    try:
        return get_type_hints(call)
    except (NameError, TypeError) as error:
        raise ConfigurationError(
            f"the annotations of {getattr(call, '__qualname__', call)!r} cannot be read: {error}"
        ) from None


def _annotated_data(call: Call, hints: Mapping[str, Any]) -> Any:
    parameters = [p for p in inspect.signature(call).parameters if p in hints]
    if not parameters:
        return None
    annotation = hints[parameters[0]]
    return get_args(annotation)[0] if get_origin(annotation) is not None and get_args(annotation) else None
