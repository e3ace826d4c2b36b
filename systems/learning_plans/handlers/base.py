"""What handlers of this system are: what they are given, and what they answer."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from penstock import Job, JobData, Retry
from systems.learning_plans.domain.classification import FailureClass


class Signal(Protocol):
    """Set when the run is to stop."""

    reason: str

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is bounded, as the engine's job carries it: its stop signal, until when, the how many-eth it is."""

    signal: Signal
    deadline: datetime | None
    attempt: int

    @classmethod
    def of(cls, job: Job[Any]) -> "RunOptions":
        """Those of a job's run."""
        return cls(job.cancel_signal, job.deadline, job.attempt)


@dataclass(frozen=True, slots=True)
class PlanJobResult:
    """What came of a plan job. `curation`: `inline`, `queued` or `off`; `classification` is that of a failure."""

    status: str
    plan_id: str
    modules_count: int = 0
    tasks_count: int = 0
    duration_ms: int = 0
    provider: str = ""
    model: str = ""
    curation: str = "off"
    classification: str | None = None

    def as_json(self) -> dict[str, object]:
        """As the job keeps it."""
        return asdict(self)


class AttemptFailed(Retry):
    """An attempt failed in a way that another may not; `after` seconds is the earliest time of that one."""

    def __init__(self, message: str, classification: FailureClass, *, after: float | None = None) -> None:
        super().__init__(f"{message} ({classification})", after=after)
        self.classification = classification


class JobHandler(Protocol):
    """Joins services for one kind of job. Whatever it raises counts as a failed attempt, but for the engine's own
    signals; it may have ended the job in a transaction of its own."""

    @property
    def handles(self) -> type[JobData]: ...

    async def process_job(self, job: Job[Any], /) -> object: ...
