"""Steps of which an earlier run of the source has done some: what was read or heard then is not paid for again."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from penstock import Job, NotFound, Penstock
from systems.study_notes.application.ports import LiveText, Steps

Value = TypeVar("Value")


async def with_earlier_steps(engine: Penstock, job: Job[Any], earlier_job: str | None) -> Steps:
    """The steps of `job`, those that the job `earlier_job` has done being done already."""
    if earlier_job is None:
        return job
    try:
        done = {step.name: step.result for step in await engine.jobs.steps(earlier_job) if step.state == "done"}
    except NotFound:
        return job
    return _WithEarlier(job, done)


class _WithEarlier:
    def __init__(self, job: Job[Any], done: Mapping[str, Any]) -> None:
        self._job = job
        self._done = done

    def stream(self, name: str, /) -> LiveText:
        """See the port."""
        return self._job.stream(name)

    def step(self, name: str, call: Callable[..., Awaitable[Value]], /, *args: Any) -> Coroutine[Any, Any, Value]:
        """See the port. What is taken over is a step of this job from then on: a run after it finds it here."""
        if name not in self._done:
            return self._job.step(name, call, *args)
        returns = get_type_hints(call)["return"]

        async def taken_over() -> Value:
            value: Value = TypeAdapter(returns).validate_python(self._done[name])
            return value

        return self._job.step(name, taken_over, returns=returns)
