"""A provider that behaves like a slow model and needs none: for trying out streams, deadlines and failures."""

import asyncio
import json
from typing import Any

from penstock.ai import ModelAnswer, ModelFailure, ModelRequest, Usage
from systems.learning_plans.application.plan_prompt import MINUTES, TASK, plan_data
from systems.learning_plans.domain.entities import SkillLevel

CHUNK_CHARS = 80
CHUNK_PAUSE_S = 0.05
TAIL_SPREAD_MS = 2_000
LEAST_TAIL_MS = 1_000
LEAST, MOST = 3, 5
_CHARS_A_TOKEN = 4


class Congruential:
    """x → (a·x + c) mod m, with the numbers of Numerical Recipes (Press et al., 2nd ed., p. 284)."""

    def __init__(self, start: int) -> None:
        self._state = start % 2**32

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        self._state = (1_664_525 * self._state + 1_013_904_223) % 2**32
        # The upper bits are the better ones.
        return (self._state >> 8) * limit >> 24

    def share(self) -> float:
        """From 0 to below 1."""
        return self.below(2**20) / 2**20


class MockProvider:
    """The port `Provider`. `delay_ms` is waited for after the last chunk, two seconds more or less."""

    name = "mock"
    model = "mock-lcg"
    account = ""
    offline = True

    def __init__(self, start: int = 1, delay_ms: int = 7_000, failure_rate: float = 0.0) -> None:
        self._numbers = Congruential(start)
        self._delay_ms = delay_ms
        self._failure_rate = failure_rate

    async def call(self, request: ModelRequest[Any], *, on_text: Any = None, on_usage: Any = None) -> Any:
        """See the port."""
        if self._numbers.share() < self._failure_rate:
            return ModelFailure("provider_error", "the mock fails", True, provider=self.name, model=self.model)
        is_plan = request.instructions.startswith(f"Task: {TASK}\n")
        text = self._plan(plan_data(request.prompt_text)) if is_plan else "This is a mock explanation. It says nothing."
        for at in range(0, len(text), CHUNK_CHARS):
            if at:
                await asyncio.sleep(CHUNK_PAUSE_S)
            if on_text is not None:
                on_text(text[at : at + CHUNK_CHARS])
        if is_plan:
            spread = self._numbers.below(2 * TAIL_SPREAD_MS + 1) - TAIL_SPREAD_MS
            await asyncio.sleep(max(LEAST_TAIL_MS, self._delay_ms + spread) / 1_000)
        usage = Usage(len(request.prompt_text) // _CHARS_A_TOKEN, len(text) // _CHARS_A_TOKEN, 0)
        return ModelAnswer(text, text, self.name, self.model, offline=True, usage=usage, finish_reason="stop")

    async def close(self) -> None:
        """There is nothing to close."""

    def _plan(self, data: dict[str, Any]) -> str:
        topic = str(data.get("topic") or "the topic")
        least, most = MINUTES[SkillLevel(data.get("skill_level", SkillLevel.BEGINNER))]
        modules = []
        for number in range(1, self._between(LEAST, MOST) + 1):
            tasks = [
                {
                    "title": f"Task {number}.{one} on {topic}",
                    "description": f"Something about {topic}.",
                    "estimated_minutes": self._between(least, most),
                }
                for one in range(1, self._between(LEAST, MOST) + 1)
            ]
            minutes = sum(int(str(task["estimated_minutes"])) for task in tasks)
            modules.append(
                {
                    "title": f"Module {number} on {topic}",
                    "description": f"Part {number}.",
                    "estimated_minutes": minutes,
                    "tasks": tasks,
                }
            )
        return json.dumps({"modules": modules}, ensure_ascii=False)

    def _between(self, least: int, most: int) -> int:
        return least + self._numbers.below(most - least + 1)
