"""From what a handler did to the outcome of its run: a value that the executor hands on."""

import traceback
from datetime import datetime, timedelta
from typing import Any, assert_never

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from penstock.domain.options import micros
from penstock.domain.outcomes import Cancelled, Completed, ErrorRecord, Failed, Outcome, Released, Snoozed, TimedOut
from penstock.domain.signals import Cancel, Permanent, Retry, Signal, Snooze
from penstock.domain.steps import Suspended
from penstock.errors import NoPrice, PayloadTooLarge
from penstock.registry import HandlerEntry
from penstock.worker.run import Run, Stop

TRACEBACK_FRAMES = 20
"""The innermost frames of a traceback that are kept; the outermost are the worker's own."""
TRACEBACK_CHARACTERS = 20_000
MESSAGE_CHARACTERS = 10_000
_COMPLETED = Completed(None)


def of_result(entry: HandlerEntry, result: Any, max_bytes: int) -> Outcome:
    """Completed, or a permanent failure that says why the result cannot be kept (another run would return the same)."""
    if result is None or entry.results is None:
        return _COMPLETED
    try:
        dumped = _dump(entry, result)
    except (PydanticSerializationError, ValidationError, ValueError, TypeError) as error:
        text = f"{entry.name} returned {type(result).__name__}, which does not fit its return annotation: {error}"
        return _refused("InvalidResult", text)
    if len(dumped) > max_bytes:
        return _refused("PayloadTooLarge", str(PayloadTooLarge("the result", len(dumped), max_bytes)))
    return Completed(dumped)


def _dump(entry: HandlerEntry, result: Any) -> bytes:
    if entry.results is None:
        raise TypeError("a handler without results has nothing to dump")
    try:
        return entry.results.dump_json(result, warnings="error")
    except PydanticSerializationError:
        # Not the annotated type itself; it may still be one that becomes it, as a dict becomes a model.
        return entry.results.dump_json(entry.results.validate_python(result), warnings="error")


def of_error(error: BaseException, now: int) -> Outcome:
    """The outcome of a handler that raised at `now` (µs)."""
    if isinstance(error, BaseExceptionGroup) and (waits := error.subgroup(Suspended)) is not None:
        error = waits.exceptions[0]  # it waited inside a task group
    if isinstance(error, Suspended):
        return Snoozed(error.until, error.reason)
    if not isinstance(error, Signal):
        return Failed(record_of(error), permanent=isinstance(error, NoPrice))
    match error:
        case Snooze():
            return Snoozed(_when(error.until, now), _message(error))
        case Cancel():
            return Cancelled(_message(error), by_handler=True)
        case Permanent():
            return Failed(record_of(error), permanent=True)
        case Retry():
            return Failed(record_of(error), after_s=error.after_s)
    return Failed(record_of(error))


def of_stop(run: Run, outcome: Outcome | None) -> Outcome:
    """The outcome of a run that was asked to stop. `outcome` is what its handler came to, None if it goes on."""
    reason = run.stop_reason
    match run.stop:
        case Stop.CANCEL:
            return Cancelled(reason)
        case Stop.TIMEOUT:
            return TimedOut(run.timeout_s or 0.0)
        case Stop.DEADLINE:
            return Failed(ErrorRecord("DeadlineExceeded", reason), permanent=True, by_handler=False)
        case Stop.RELEASE | Stop.LOST:
            # It had finished all the same; whether that still counts is for the fence to say.
            return outcome if isinstance(outcome, Completed) else Released(reason)
        case None:
            raise ValueError(f"run {run.label} was not asked to stop")
    assert_never(run.stop)


def record_of(error: BaseException) -> ErrorRecord:
    """The entry of the error history. Signals carry a traceback only of what caused them."""
    shown = error.__cause__ if isinstance(error, Signal) else error
    return ErrorRecord(type(error).__name__, _message(error), "" if shown is None else _traceback(shown))


def _refused(error_class: str, message: str) -> Failed:
    return Failed(ErrorRecord(error_class, message[:MESSAGE_CHARACTERS]), permanent=True)


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as second:  # noqa: BLE001 - the text of a stranger's exception; this says that it has none
        text = f"(its text cannot be had: {type(second).__name__})"
    return text[:MESSAGE_CHARACTERS] or type(error).__name__


def _traceback(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error, limit=-TRACEBACK_FRAMES))
    return text if len(text) <= TRACEBACK_CHARACTERS else "…" + text[-TRACEBACK_CHARACTERS:]


def _when(until: datetime | timedelta | float, now: int) -> int:
    if isinstance(until, datetime):
        return micros("Snooze until", until)
    seconds = until.total_seconds() if isinstance(until, timedelta) else until
    return now + int(seconds * 1_000_000)
