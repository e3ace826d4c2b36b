"""Steps of handlers, and signals to them: what a later run need not do again, and what it waits for."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock import codec
from penstock.domain.order import STRICT_STEP
from penstock.domain.states import FINAL, JobState
from penstock.domain.steps import NEVER, TIMED_OUT, Step, came
from penstock.errors import ClaimLost, Conflict, NotFound
from penstock.store.program import Call, Row, Steps, program, wake_queues
from penstock.store.programs.enqueue import Fence, enqueue, hold
from penstock.store.programs.new import NewJob


class StepWrite(NamedTuple):
    """A step that a run writes. `attempt` and `started_at` (µs) are the run's and the step's own."""

    job_id: str
    claim_id: int
    attempt: int
    step: Step
    started_at: int


class StepRow(NamedTuple):
    """A stored step as people see it. Times µs."""

    step: Step
    attempt: int
    started_at: int
    at: int


@program
def steps_of(job_ids: Sequence[str]) -> Steps[dict[str, list[StepRow]]]:
    """The stored steps of these jobs, each job's in the order in which they were done."""
    found: dict[str, list[StepRow]] = {id_: [] for id_ in job_ids}
    for row in (yield Call("steps_of", {"ids": codec.ids(list(job_ids))}, only=True)):
        found[row[0]].append(_row(row))
    return found


@program
def write_steps(writes: Sequence[StepWrite], now: int) -> Steps[set[tuple[str, str]]]:
    """Write steps of several runs; answers job and name of those whose claim still held."""
    # In the order in which endings lock.
    rows = [_written(write) for write in sorted(writes, key=lambda write: (write.job_id, write.step.name))]
    return {(row[0], row[1]) for row in (yield Call("write_steps", {"rows": codec.rows(rows), "now": now}, only=True))}


@program
def await_signal(write: StepWrite, now: int) -> Steps[Step]:
    """What has become of a wait: the step with the signal's data, with its time over, or as it was given, to wait on.

    Raises ClaimLost.
    """
    step = write.step
    yield from hold(Fence(write.job_id, write.claim_id))
    taken = yield Call("take_signal", {"job_id": write.job_id, "name": step.signal})
    if taken:
        step = step._replace(result=came(taken[0][0].encode()))
    elif step.until_at is not None and step.until_at <= now:
        step = step._replace(result=TIMED_OUT)
    rows = codec.rows([_written(write._replace(step=step))])
    if not (yield Call("write_steps", {"rows": rows, "now": now})):
        raise ClaimLost(write.job_id)
    return step


@program
def send_signal(job_id: str, name: str, data: bytes, now: int) -> Steps[bool]:
    """Keep a signal for a job; answers whether the job was waiting for it and goes on now.

    Raises NotFound, and Conflict when the job has ended.
    """
    found = yield Call("lock_jobs", {"ids": codec.ids([job_id])})
    if not found:
        raise NotFound(f"no job {job_id}")
    if JobState(found[0][1]) in FINAL:
        raise Conflict(f"job {job_id} is {found[0][1]}; nobody will take the signal {name!r}")
    yield Call("insert_signal", {"job_id": job_id, "name": name, "data": codec.JsonText(data), "now": now})
    return (yield from wake_signalled([job_id], now))


def wake_signalled(job_ids: Sequence[str], now: int) -> Steps[bool]:
    """Let those of these jobs go on that wait for a signal which is there. Their rows must be locked."""
    params = {"ids": codec.ids(list(job_ids)), "now": now, "strict_step": STRICT_STEP}
    woken = yield Call("wake_signalled", params)
    if woken:
        yield wake_queues({row[0] for row in woken})
    return bool(woken)


@program
def rerun(job_id: str, step: str, copy: NewJob, now: int) -> Steps[None]:
    """Enqueue a copy of a job that has the steps done before this one. Raises NotFound, naming the steps there are."""
    rows = [_row(row) for row in (yield Call("steps_of", {"ids": codec.ids([job_id])}))]
    at = next((row.at for row in rows if row.step.name == step), None)
    if at is None:
        known = ", ".join(repr(row.step.name) for row in rows) or "none"
        raise NotFound(f"job {job_id} has no step {step!r}; its steps: {known}")
    yield from enqueue([copy], now)
    yield Call("copy_steps", {"job_id": job_id, "copy": copy.id, "before": at})


def _row(row: Row) -> StepRow:
    _, name, attempt, result, signal, until_at, started_at, at = row
    return StepRow(Step(name, None if result is None else result.encode(), signal, until_at), attempt, started_at, at)


def _written(write: StepWrite) -> Mapping[str, Any]:
    step = write.step
    until = None if step.until_at is None else min(step.until_at, NEVER)
    row = {"id": write.job_id, "claim": write.claim_id, "name": step.name, "attempt": write.attempt}
    row |= {"signal": step.signal, "until": until, "started": write.started_at}
    # As a JSON string that holds JSON, so that both dialects store a bare string or boolean unchanged.
    return row | {"result": None if step.result is None else step.result.decode()}
