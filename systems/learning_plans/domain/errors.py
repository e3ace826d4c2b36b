"""What can go wrong in learning plans, drawn once.

LearningPlansError
├── InvalidInput        fields of a request are wrong (HTTP 400)
├── NotFound            no such object, or it belongs to somebody else (HTTP 404)
├── Conflict            the request does not fit the present state (HTTP 409)
├── RateLimited         too many plan jobs of late (HTTP 429)
├── QuotaExceeded       the month's units are used up (HTTP 429)
├── PlanTooLong         the deadline lies further away than the tier allows (HTTP 403)
├── TooManyPlans        the tier allows no further active plan (HTTP 403)
├── InvalidJobData      the data of a job is wrong; no attempt can help
├── AnswerRefused       a model's answer is no plan
└── PlanReplaced        the plan was deleted, or another job has it, before this one could store
"""

from collections.abc import Sequence

from systems.learning_plans.domain.classification import FailureClass

Fault = tuple[str, str]
"""A field, and what would be right."""


class LearningPlansError(Exception):
    """Base of all errors of this system."""


class InvalidInput(LearningPlansError):
    """`faults` are (field, what would be right)."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{field} {problem}" for field, problem in faults))
        self.faults = tuple(faults)


class NotFound(LearningPlansError):
    """`what` ("plan", "task", "job") does not exist for this learner."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")
        self.what = what


class Conflict(LearningPlansError):
    """The request does not fit the present state; `job_id` is the open job that is in its way, if one is."""

    def __init__(self, message: str, job_id: str | None = None) -> None:
        super().__init__(message)
        self.job_id = job_id


class RateLimited(LearningPlansError):
    """Another plan job will be accepted in `retry_after_s` seconds."""

    def __init__(self, most: int, minutes: int, retry_after_s: int) -> None:
        super().__init__(
            f"at most {most} plans may be generated or regenerated within {minutes} minutes; "
            f"try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s


class QuotaExceeded(LearningPlansError):
    """`what` ("regenerations", "exports") of the month are used up."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"this tier allows {limit} {what} a month, and they are used up")


class PlanTooLong(LearningPlansError):
    """A plan may last `most` weeks in this tier."""

    def __init__(self, weeks: int, most: int) -> None:
        super().__init__(f"the deadline makes this a plan of {weeks} weeks; this tier allows {most}")


class TooManyPlans(LearningPlansError):
    """No further plan may be active in this tier."""

    def __init__(self, most: int) -> None:
        super().__init__(f"this tier allows {most} active plans; delete one, or change the tier")


class InvalidJobData(LearningPlansError):
    """The data of a job is wrong."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("Invalid job data: " + "; ".join(f"{field} {problem}" for field, problem in faults))


class AnswerRefused(LearningPlansError):
    """A model's answer cannot be read (`provider_error`) or is no plan (`validation`)."""

    def __init__(self, classification: FailureClass, reason: str) -> None:
        super().__init__(reason)
        self.classification = classification
        self.reason = reason


class PlanReplaced(LearningPlansError):
    """The plan is gone, or has another job by now."""
