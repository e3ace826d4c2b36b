"""The exception tree: everything Penstock raises by name.

PenstockError
├── ConfigurationError          a setting, option or declaration is wrong
│   ├── NoPrice                 a money budget holds a model call whose price nobody knows
│   └── SealingError            a secret cannot be sealed or opened with the configured keys
├── OutOfBudget                a call outside of any job does not fit into a budget now
├── InvalidJob                  data, result or option refused before anything was written
│   ├── PayloadTooLarge
│   └── QueueFull
├── NotFound                    no job, flow, queue or schedule of that id or name
├── Conflict                    the thing is in a state that does not allow this
│   ├── FlowEnded
│   └── UniqueKeyTaken
├── ClaimLost                   this run no longer owns its job; nothing of it was written
├── JobFailed, JobCancelled     what `JobHandle.result()` raises for jobs that ended so
├── ResultTimeout               `JobHandle.result(timeout)` ran out of time
├── SignalTimeout               `Job.wait_for(signal, timeout)` ran out of time
├── StoreUnavailable            the database cannot be reached just now; nothing was written
└── SchemaError                 the database's schema and this code do not fit
"""


class PenstockError(Exception):
    """Base of all errors raised by Penstock."""


class ConfigurationError(PenstockError):
    """A setting, option or declaration is wrong; the text names it and what would be right."""


class SealingError(ConfigurationError):
    """A secret cannot be sealed or opened with the configured keys."""


class NoPrice(ConfigurationError):
    """A call is under a budget in money and no price of its model is known. It ends its job: no retry would help."""

    def __init__(self, budget: str, provider: str, model: str) -> None:
        super().__init__(
            f"budget {budget!r} is in dollars and no price is known for model {model!r} of {provider!r}: "
            "give the budget in tokens, or the engine the price: Penstock(cost=…)"
        )
        self.budget = budget
        self.model = model


class OutOfBudget(PenstockError):
    """A model call outside of any job does not fit into a budget now, which in a job would wait. The text says why."""


class InvalidJob(PenstockError):
    """Data, a result or an option was refused at the edge; nothing was written."""


class PayloadTooLarge(InvalidJob):
    """Data, result or error text is larger than the configured limit (bytes)."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(
            f"{what} is {size:,} bytes, more than the limit of {limit:,}; store it yourself and pass a reference, "
            "or raise max_payload_bytes"
        )
        self.size = size
        self.limit = limit


class QueueFull(InvalidJob):
    """The queue has reached its `max_length`."""

    def __init__(self, queue: str, length: int, limit: int) -> None:
        super().__init__(
            f"queue {queue!r} holds {length:,} ready jobs, its max_length is {limit:,}; nothing was enqueued"
        )
        self.queue = queue


class NotFound(PenstockError):
    """No job, flow, queue or schedule of that id or name."""


class Conflict(PenstockError):
    """The thing is in a state that does not allow what was asked."""


class FlowEnded(Conflict):
    """The flow has ended and takes no further jobs."""

    def __init__(self, flow_id: str) -> None:
        super().__init__(f"flow {flow_id} has ended and takes no further jobs; start a new flow")
        self.flow_id = flow_id


class UniqueKeyTaken(Conflict):
    """A retry was refused because another job holds the job's unique key."""

    def __init__(self, key: str, holder: str) -> None:
        super().__init__(f"unique key {key!r} is held by job {holder}; wait for it or cancel it first")
        self.key = key
        self.holder = holder


class ClaimLost(PenstockError):
    """This run no longer owns its job (rescued, cancelled or already ended); nothing of it was written."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"this run no longer holds job {job_id}; its write was refused")
        self.job_id = job_id


class JobFailed(PenstockError):
    """The awaited job failed; `error` is its last error as text."""

    def __init__(self, job_id: str, error: str) -> None:
        super().__init__(f"job {job_id} failed: {error}")
        self.job_id = job_id
        self.error = error


class JobCancelled(PenstockError):
    """The awaited job was cancelled; `reason` says why."""

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"job {job_id} was cancelled: {reason}")
        self.job_id = job_id
        self.reason = reason


class ResultTimeout(PenstockError, TimeoutError):
    """The awaited job had not ended when the time was over; it goes on."""


class SignalTimeout(PenstockError, TimeoutError):
    """The signal did not come within the time that the handler was to wait for it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the signal {name!r} did not come in time")
        self.name = name


class StoreUnavailable(PenstockError):
    """The database cannot be reached just now; nothing was written."""


class SchemaError(PenstockError):
    """The database's schema and this code do not fit; the text says what to run."""
