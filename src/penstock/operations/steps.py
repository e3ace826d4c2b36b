"""Steps as people see them, and what signals and reruns are made of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from penstock import codec
from penstock.domain.options import moment_of
from penstock.domain.steps import NEVER, TIMED_OUT
from penstock.errors import InvalidJob
from penstock.sealing import Keyring, move_all
from penstock.store.program import LaneKey
from penstock.store.programs.new import NewJob
from penstock.store.programs.read import JobRow
from penstock.store.programs.steps import StepRow


@dataclass(frozen=True, slots=True)
class StepView:
    """One step. `state`: done, waits or timed out; `result`: plain JSON; `attempt`: the run that did it (0: copied).

    `signal`: the one it waits or waited for; `until`: when the wait is or was over all the same.
    """

    name: str
    state: str
    attempt: int
    result: Any
    signal: str | None
    until: datetime | None
    duration_s: float
    at: datetime

    @classmethod
    def of(cls, row: StepRow) -> "StepView":
        """From a stored row."""
        step = row.step
        state = "waits" if step.result is None else "timed out" if step.result == TIMED_OUT else "done"
        result = None if step.result is None else codec.loads(step.result)
        if step.signal is not None and result is not None:
            result = result.get("data")
        until = None if step.until_at in (None, NEVER) else moment_of(step.until_at)
        duration = (row.at - row.started_at) / 1_000_000
        return cls(step.name, state, row.attempt, result, step.signal, until, duration, moment_of(row.at))


def signal_json(data: Any) -> bytes:
    """The data of a signal as JSON. Raises InvalidJob."""
    try:
        return to_json(data)
    except (PydanticSerializationError, ValueError) as error:
        raise InvalidJob(f"the data of a signal must be JSON or a pydantic model: {error}") from error


def copy_of(row: JobRow, data: str, keyring: Keyring) -> NewJob:
    """A job like this one, to be enqueued now. Raises SealingError."""
    id_ = codec.new_id()
    text = data.encode()
    if row.seal_key is not None:
        text = codec.dumps(move_all(codec.loads(data), keyring, row.id, id_))
    return NewJob(
        id=id_,
        lane=LaneKey(row.queue, row.kind, row.tenant, None if row.seal_key is None else keyring.ids[0]),
        level=row.priority,
        max_attempts=row.max_attempts,
        data=text,
        options=codec.loads(row.options) if row.options else {},
        concurrency_key=row.concurrency_key,
        concurrency_limit=row.concurrency_limit or 1,
    )
