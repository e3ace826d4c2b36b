"""`JobData`: one typed, durable unit of work, and the options of its kind."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from penstock.domain.order import level_of
from penstock.domain.retry import DEFAULT_RETRY, OwnDelay, RetryPolicy, checked_policy
from penstock.errors import ConfigurationError

DEFAULT_QUEUE = "default"
DEFAULT_MAX_ATTEMPTS = 5
MAX_ATTEMPTS = 10_000
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What a `JobData` subclass declares: its kind, queue and default options. Durations in seconds."""

    kind: str
    queue: str = DEFAULT_QUEUE
    level: int = 0
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    retry: RetryPolicy = DEFAULT_RETRY
    retries: Mapping[str, OwnDelay] = field(default_factory=dict)
    timeout_s: float | None = None
    deadline_s: float | None = None
    retention_s: float | None = None
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ended_by: "type[JobEnded] | None" = None
    steps: tuple[str, ...] = ()


class JobData(BaseModel):
    """Base of a job's data; a subclass declares a kind.

    ``class GeneratePlan(JobData, kind="generate_plan", queue="plans", max_attempts=3, timeout=300): topic: str``

    Class options: kind (default: the class name), queue, priority, max_attempts, retry, retries (own delay functions by
    name), timeout, deadline (after the enqueue) and retention (after the end; each in seconds or as a timedelta), tags,
    aliases (older names of the kind), steps (the names of its handler's steps, `*` standing for any text: then no other
    is taken, and `penstock doctor` tells of stored ones that the code no longer has), ended_by (a `JobEnded` subclass
    that is enqueued when a job of this kind ends without its handler finishing). Unknown fields of stored data are
    ignored.
    """

    # An error that showed its input would show the secrets in it.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    job_kind: ClassVar[KindSpec]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        cls.job_kind = _kind_spec(cls.__name__, options)


_OPTIONS = frozenset(
    {"kind", "queue", "priority", "max_attempts", "retry", "retries", "timeout", "deadline", "retention", "tags"}
    | {"aliases", "ended_by", "steps"}
)


def _kind_spec(class_name: str, options: Mapping[str, Any]) -> KindSpec:
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise ConfigurationError(
            f"{class_name}: unknown option {sorted(unknown)[0]!r}; known: {', '.join(sorted(_OPTIONS))}"
        )
    attempts = options.get("max_attempts", DEFAULT_MAX_ATTEMPTS)
    if not is_count(attempts, MAX_ATTEMPTS):
        raise ConfigurationError(
            f"{class_name}: max_attempts must be an integer from 1 to {MAX_ATTEMPTS}, not {attempts!r}"
        )
    ended_by = options.get("ended_by")
    if ended_by is not None and not (isinstance(ended_by, type) and issubclass(ended_by, JobEnded)):
        raise ConfigurationError(f"{class_name}: ended_by must be a subclass of JobEnded, not {ended_by!r}")
    return KindSpec(
        kind=checked_name("kind", options.get("kind") or class_name),
        queue=checked_name("queue", options.get("queue", DEFAULT_QUEUE)),
        level=level_of(options.get("priority", 0)),
        max_attempts=attempts,
        retry=checked_policy(options.get("retry", DEFAULT_RETRY)),
        retries=dict(options.get("retries", {})),
        timeout_s=seconds_of("timeout", options.get("timeout")),
        deadline_s=seconds_of("deadline", options.get("deadline")),
        retention_s=seconds_of("retention", options.get("retention")),
        tags=checked_names("tags", options.get("tags", ())),
        aliases=checked_names("aliases", options.get("aliases", ())),
        ended_by=ended_by,
        steps=checked_names("steps", options.get("steps", ())),
    )


def checked_name(what: str, name: object) -> str:
    """A kind, queue, tenant or stream name: 1 to 200 printable characters without commas. Raises ConfigurationError."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or "," in name or not name.isprintable():
        raise ConfigurationError(f"{what} must be 1 to {MAX_NAME} printable characters without commas, not {name!r}")
    # A member of a StrEnum is a text, but no key of a JSON object.
    return str(name)


def checked_names(what: str, names: object) -> tuple[str, ...]:
    """Several names, as `checked_name`. Raises ConfigurationError, also for one text, whose letters would be names."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigurationError(f"{what} must be several names, as in ({names!r},)")
    return tuple(checked_name(what, name) for name in names)


def is_count(value: object, most: int) -> bool:
    """Whether a value is an integer from 1 to `most`; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def seconds_of(what: str, value: object) -> float | None:
    """A positive duration in seconds, from seconds or a timedelta. Raises ConfigurationError."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"{what} must be seconds or a timedelta, not {value!r}")
    else:
        seconds = float(value)
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"{what} must be positive, not {value!r}")
    return seconds


class JobEnded(JobData):
    """Base of what runs when a job ends without its handler finishing (see `ended_by`). Subclass it with a kind."""

    job_id: str
    kind: str
    data: dict[str, Any]
    state: str
    reason: str
    flow_id: str | None = None
    tenant: str | None = None
