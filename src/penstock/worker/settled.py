"""What the completer says of the runs it has written: counts and logs."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from penstock.domain.states import JobState, Way
from penstock.store.programs.settle import RunEnd
from penstock.worker.logs import get_logger
from penstock.worker.stats import Counts

logger = get_logger(__name__)

_AGAIN = {Way.RETRY_LATER: "retried", Way.RETRY_NOW: "retried", Way.SNOOZE: "snoozed", Way.RELEASE: "released"}
_REASON_CHARACTERS = 500


def tally_completed(ends: Collection[RunEnd], counts: Mapping[str, Counts]) -> None:
    """Count runs that have completed."""
    for queue, number in Counter([end.lane.queue for end in ends]).items():
        if queue in counts:
            counts[queue].completed += number


def tally(batch: Collection[RunEnd], states: Mapping[str, JobState], counts: Mapping[str, Counts]) -> None:
    """Count a written batch; `states` holds those whose claim still held."""
    for end in batch:
        count = counts.get(end.lane.queue)
        if count is None:
            continue
        state = states.get(end.job_id)
        if state is JobState.COMPLETED:
            count.completed += 1
        elif state is None:
            count.refused += 1
        elif state is JobState.FAILED:
            count.failed += 1
        elif state is JobState.CANCELLED:
            count.cancelled += 1
        else:
            name = _AGAIN[end.settlement.way]
            setattr(count, name, getattr(count, name) + 1)


def log_settled(batch: Collection[RunEnd], states: Mapping[str, JobState], worker: str) -> None:
    """Log a written batch: failures and retries as warnings, refused results as information, the rest for debugging."""
    debugging = logging.getLogger(__name__).isEnabledFor(logging.DEBUG)
    for end in batch:
        state = states.get(end.job_id)
        if state is JobState.COMPLETED and not debugging:
            continue
        fields: dict[str, Any] = {
            "job_id": end.job_id,
            "kind": end.lane.kind,
            "attempt": end.settlement.attempt,
            "worker": worker,
        }
        reason = (end.settlement.reason or "")[:_REASON_CHARACTERS]
        error = end.settlement.error
        if state is None:
            logger.info("late result refused", outcome=end.settlement.way.value, **fields)
        elif state is JobState.CANCELLED:
            logger.info("job cancelled", reason=reason, **fields)
        elif error is None:
            logger.debug("run ended", outcome=end.settlement.way.value, reason=reason, **fields)
        elif state is JobState.FAILED:
            logger.warning(
                "job failed", error_class=error.error_class, reason=error.message[:_REASON_CHARACTERS], **fields
            )
        else:
            logger.warning(
                "job will be retried",
                error_class=error.error_class,
                reason=error.message[:_REASON_CHARACTERS],
                **fields,
            )


def log_unwritable(end: RunEnd, error: Exception, worker: str) -> None:
    """The database would not have this end; the job fails instead."""
    logger.error(
        "the outcome of a run cannot be written; its job fails",
        exc_info=error, job_id=end.job_id, kind=end.lane.kind, worker=worker,
    )  # fmt: skip
