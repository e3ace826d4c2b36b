"""What the failure of a provider means for a source."""

from penstock.ai import ModelFailure
from systems.study_notes.domain.errors import PermanentSourceError, StageError


def error_of(what: str, failure: ModelFailure) -> StageError | PermanentSourceError:
    """The error to raise: `StageError` when asking again may help, not before the time that was named, else
    `PermanentSourceError`."""
    reason = f"{what}: {failure.message}"
    if failure.retryable:
        return StageError(reason, retry_after_s=failure.retry_after_s)
    return PermanentSourceError(reason)
