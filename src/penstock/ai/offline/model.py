"""A model that needs no provider: named tasks done by pure functions."""

import asyncio
from collections.abc import Callable, Mapping

from penstock.ai.answers import ModelAnswer, ModelFailure, Usage
from penstock.ai.port import OnText, OnUsage
from penstock.ai.request import AnyRequest

CHARS_PER_TOKEN = 4
"""The usual rough length of a token in English text; good enough for a count nobody is billed by."""

_TASK_LABEL = "Task:"


class OfflineModel:
    """Answers requests whose instructions begin with the line `Task: NAME` by calling the function of that name.

    The functions are pure and synchronous; they run in a thread because a document may be large.
    """

    name = "offline"
    model = "offline-extractive"
    account = ""
    offline = True

    def __init__(self, tasks: Mapping[str, Callable[[AnyRequest], str]]) -> None:
        self._tasks = dict(tasks)

    async def call(
        self, request: AnyRequest, *, on_text: OnText | None = None, on_usage: OnUsage | None = None
    ) -> ModelAnswer[str] | ModelFailure:
        """The task's text, labelled as offline, with token counts estimated from the lengths; a stream of one piece.

        A failure of kind "validation" when the first line names no task or one that is not known. Raises what the task
        raises.
        """
        first_line = request.instructions.partition("\n")[0].strip()
        if not first_line.startswith(_TASK_LABEL):
            return self._unknown("the first line must be 'Task: NAME' for the offline model")
        name = first_line.removeprefix(_TASK_LABEL).strip()
        if name not in self._tasks:
            return self._unknown(f"the offline model has no task {name!r}")
        text = await asyncio.to_thread(self._tasks[name], request)
        if on_text is not None:
            on_text(text)
        usage = Usage(_tokens(request.instructions) + _tokens(request.prompt_text), _tokens(text), 0)
        return ModelAnswer(text, text, self.name, self.model, offline=True, usage=usage, finish_reason="stop")

    async def close(self) -> None:
        """There is nothing to close."""

    def _unknown(self, problem: str) -> ModelFailure:
        known = ", ".join(sorted(self._tasks)) or "none"
        message = f"instructions: {problem} (known tasks: {known})"
        return ModelFailure("validation", message, retryable=False, provider=self.name, model=self.model)


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)
