"""What can go wrong in study notes, drawn once.

StudyNotesError
├── InvalidInput            a field of a request is wrong (HTTP 400)
│   └── TooLarge            an upload is larger than its kind allows (HTTP 413)
├── NotFound                no such object, or it belongs to somebody else (HTTP 404)
├── Conflict                the request does not fit the present status (HTTP 409)
├── PermanentSourceError    no retry can help; the source fails at once
└── StageError              a retry may help
    └── ImageSearchError    no image provider could answer
        └── QuotaExceeded   because their quota is used up
NoImageProvider             image search is switched off; the picture is left out
"""


class StudyNotesError(Exception):
    """Base of all errors of this system."""


class InvalidInput(StudyNotesError):
    """`field` of a request is wrong; `message` says what would be right."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class TooLarge(InvalidInput):
    """An upload in `field` has more than `max_bytes` bytes."""

    def __init__(self, field: str, max_bytes: int) -> None:
        super().__init__(field, f"must not be larger than {max_bytes // 2**20} MB")
        self.max_bytes = max_bytes


class NotFound(StudyNotesError):
    """`what` ("source", "note") does not exist for this user."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")
        self.what = what


class Conflict(StudyNotesError):
    """The request does not fit the present status; the message names it."""


class PermanentSourceError(StudyNotesError):
    """The source cannot be processed, now or later. `reason` is plain text for the learner."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StageError(StudyNotesError):
    """A stage failed in a way that a later attempt may not.

    `reason` is plain text for the learner; `retry_after_s` (seconds) is the earliest time of the next attempt,
    where a provider named one.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class ImageSearchError(StageError):
    """Every image provider failed."""


class QuotaExceeded(ImageSearchError):
    """Image providers answered that their quota is used up."""


class NoImageProvider(StudyNotesError):
    """No image provider is configured, so there is nothing to ask."""

    def __init__(self) -> None:
        super().__init__("no image provider configured")
