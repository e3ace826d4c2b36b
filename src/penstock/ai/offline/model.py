"""A model that needs no provider: named tasks done by pure functions."""

import asyncio
from collections.abc import Callable, Mapping

from penstock.ai.errors import ModelError
from penstock.ai.port import ModelAnswer, ModelRequest

CHARS_PER_TOKEN = 4
"""The usual rough length of a token in English text; good enough for a count nobody is billed by."""

_TASK_LABEL = "Task:"


class OfflineModel:
    """Answers requests whose instructions begin with the line `Task: NAME` by calling the function of that name.

    The functions are pure and synchronous; they run in a thread because a document may be large.
    """

    def __init__(self, tasks: Mapping[str, Callable[[ModelRequest], str]]) -> None:
        self._tasks = dict(tasks)

    async def generate(self, request: ModelRequest) -> ModelAnswer:
        """Return the task's text, labelled as offline, with token counts estimated from the lengths.

        Raises `ModelError` of kind "validation" when the first line names no task or one that is not known.
        """
        text = await asyncio.to_thread(self._task(request), request)
        return ModelAnswer(
            text=text,
            provider="offline",
            model="offline-extractive",
            offline=True,
            input_tokens=_tokens(request.instructions) + _tokens(request.prompt),
            output_tokens=_tokens(text),
        )

    def _task(self, request: ModelRequest) -> Callable[[ModelRequest], str]:
        first_line = request.instructions.partition("\n")[0].strip()
        known = ", ".join(sorted(self._tasks)) or "none"
        if not first_line.startswith(_TASK_LABEL):
            raise ModelError(
                f"instructions: the first line must be 'Task: NAME' for the offline model (known tasks: {known})",
                kind="validation",
                retryable=False,
            )
        name = first_line.removeprefix(_TASK_LABEL).strip()
        if name not in self._tasks:
            raise ModelError(
                f"instructions: the offline model has no task {name!r} (known tasks: {known})",
                kind="validation",
                retryable=False,
            )
        return self._tasks[name]


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)
