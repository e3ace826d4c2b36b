"""`JobData`: one typed, durable unit of work, and the options of its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from penstock.domain.order import level_of
from penstock.domain.retry import DEFAULT_RETRY, OwnDelay, RetryPolicy
from penstock.errors import ConfigurationError

DEFAULT_QUEUE = "default"
DEFAULT_MAX_ATTEMPTS = 5
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
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ended_by: "type[JobEnded] | None" = None


class JobData(BaseModel):
    """Base of a job's data; a subclass declares a kind.

    ``class GeneratePlan(JobData, kind="generate_plan", queue="plans", max_attempts=3, timeout=300): topic: str``

    Class options: kind (default: the class name), queue, priority, max_attempts, retry, retries (own delay functions by
    name), timeout (seconds or timedelta), tags, aliases (older names of the kind), ended_by (a `JobEnded` subclass that
    is enqueued when a job of this kind ends without its handler finishing). Unknown fields of stored data are ignored.
    """

    model_config = ConfigDict(extra="ignore")
    job_kind: ClassVar[KindSpec]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        cls.job_kind = _kind_spec(cls.__name__, options)


_OPTIONS = frozenset(
    {"kind", "queue", "priority", "max_attempts", "retry", "retries", "timeout", "tags", "aliases", "ended_by"}
)


def _kind_spec(class_name: str, options: Mapping[str, Any]) -> KindSpec:
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise ConfigurationError(
            f"{class_name}: unknown option {sorted(unknown)[0]!r}; known: {', '.join(sorted(_OPTIONS))}"
        )
    attempts = options.get("max_attempts", DEFAULT_MAX_ATTEMPTS)
    if not isinstance(attempts, int) or not 1 <= attempts <= 10_000:
        raise ConfigurationError(f"{class_name}: max_attempts must be an integer from 1 to 10000, not {attempts!r}")
    return KindSpec(
        kind=checked_name("kind", options.get("kind") or class_name),
        queue=checked_name("queue", options.get("queue", DEFAULT_QUEUE)),
        level=level_of(options.get("priority", 0)),
        max_attempts=attempts,
        retry=options.get("retry", DEFAULT_RETRY),
        retries=dict(options.get("retries", {})),
        timeout_s=seconds_of("timeout", options.get("timeout")),
        tags=tuple(options.get("tags", ())),
        aliases=tuple(checked_name("alias", a) for a in options.get("aliases", ())),
        ended_by=options.get("ended_by"),
    )


def checked_name(what: str, name: object) -> str:
    """A kind, queue, tenant or stream name: 1 to 200 printable characters without commas. Raises ConfigurationError."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or "," in name or not name.isprintable():
        raise ConfigurationError(f"{what} must be 1 to {MAX_NAME} printable characters without commas, not {name!r}")
    return name


def seconds_of(what: str, value: timedelta | float | None) -> float | None:
    """A positive duration in seconds, from seconds or a timedelta. Raises ConfigurationError."""
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds <= 0:
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
