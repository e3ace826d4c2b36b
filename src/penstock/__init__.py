"""Penstock: the durable job engine that knows what a model call costs and what the provider will allow."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock.context import Job
from penstock.domain.events import Event
from penstock.domain.flows import When
from penstock.domain.job import JobData, JobEnded
from penstock.domain.order import Priority
from penstock.domain.queue import Queue, Retention
from penstock.domain.rates import Rate
from penstock.domain.retry import Delays, Exponential, Fixed, Named
from penstock.domain.schedule import Missed, Schedule
from penstock.domain.secret import Secret
from penstock.domain.signals import Cancel, Permanent, Retry, Snooze
from penstock.domain.states import JobState, JobStatus
from penstock.domain.unique import Unique
from penstock.errors import (
    ClaimLost,
    ConfigurationError,
    Conflict,
    FlowEnded,
    InvalidJob,
    JobCancelled,
    JobFailed,
    NoPrice,
    NotFound,
    OutOfBudget,
    PayloadTooLarge,
    PenstockError,
    QueueFull,
    ResultTimeout,
    SchemaError,
    SealingError,
    SignalTimeout,
    StoreUnavailable,
    UniqueKeyTaken,
)
from penstock.flows import FlowRef, FlowView

if TYPE_CHECKING:
    from penstock.app import Penstock
    from penstock.operations import JobView, StreamPiece, Update
    from penstock.producer import JobHandle, JobTransaction, Transaction
    from penstock.store.sqlite import begin_immediate
    from penstock.worker import Worker

__all__ = [
    "Cancel",
    "ClaimLost",
    "ConfigurationError",
    "Conflict",
    "Delays",
    "Event",
    "Exponential",
    "Fixed",
    "FlowEnded",
    "FlowRef",
    "FlowView",
    "InvalidJob",
    "Job",
    "JobCancelled",
    "JobData",
    "JobEnded",
    "JobFailed",
    "JobHandle",
    "JobState",
    "JobStatus",
    "JobTransaction",
    "JobView",
    "Missed",
    "Named",
    "NoPrice",
    "NotFound",
    "OutOfBudget",
    "PayloadTooLarge",
    "Penstock",
    "PenstockError",
    "Permanent",
    "Priority",
    "Queue",
    "QueueFull",
    "Rate",
    "ResultTimeout",
    "Retention",
    "Retry",
    "Schedule",
    "SchemaError",
    "SealingError",
    "Secret",
    "SignalTimeout",
    "Snooze",
    "StoreUnavailable",
    "StreamPiece",
    "Transaction",
    "Unique",
    "UniqueKeyTaken",
    "Update",
    "When",
    "Worker",
    "begin_immediate",
]

_LATER = {
    "JobHandle": "penstock.producer",
    "JobTransaction": "penstock.producer",
    "JobView": "penstock.operations",
    "Penstock": "penstock.app",
    "StreamPiece": "penstock.operations",
    "Transaction": "penstock.producer",
    "Update": "penstock.operations",
    "Worker": "penstock.worker",
    "begin_immediate": "penstock.store.sqlite",
}
"""Names that load the engine; a module that only declares `JobData` does not pay for them (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
