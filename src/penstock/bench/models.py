"""Jobs that ask a model which answers at once: what is measured is what stands around a call."""

from collections.abc import Sequence
from typing import Any, Literal

from penstock.ai import ModelAnswer, ModelChain, ModelLimit, ModelRequest, Usage, answer_or_raise
from penstock.app import Penstock
from penstock.bench.jobs import QUEUE, Handlers
from penstock.bench.place import FILLER
from penstock.context import Job
from penstock.domain.job import JobData

Provider = Literal["free", "limited"]
FAR_ABOVE = ModelLimit(
    "limited", requests=10**9, input_tokens=10**12, output_tokens=10**12, concurrent=10**6
)  # fmt: skip
"""Limits of everything, none of which is ever reached."""


class Asking(JobData, kind="bench_asking", queue=QUEUE):
    """A job that asks once, in a step."""

    n: int
    provider: Provider
    text: str = FILLER


class AtOnce:
    """A provider that answers at once."""

    model, account, offline = "none", "", True

    def __init__(self, name: Provider) -> None:
        self.name = name

    async def call(self, request: ModelRequest[Any], **_: Any) -> ModelAnswer[str]:
        """See `Provider.call`."""
        return ModelAnswer("yes", "yes", self.name, self.model, offline=True, usage=Usage(20, 10))

    async def close(self) -> None:
        """Nothing to close."""


class Models:
    """Handles `Asking`. Its engine has the limit `FAR_ABOVE`."""

    def __init__(self, engine: Penstock, handlers: Handlers) -> None:
        self._handlers = handlers
        self._chains = {name: ModelChain([AtOnce(name)], gate=engine.ledger) for name in _NAMES}

    async def asking(self, job: Job[Asking]) -> None:
        """Remember, and ask."""
        self._handlers.note(job, Asking)
        await job.step("ask", self._ask, job.data.provider)

    async def _ask(self, provider: Provider) -> str:
        return answer_or_raise(await self._chains[provider].ask(ModelRequest("Answer.", FILLER))).text


_NAMES: Sequence[Provider] = ("free", "limited")
