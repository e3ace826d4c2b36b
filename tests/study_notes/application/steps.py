"""Steps that are remembered in memory, through the same JSON as the engine's."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter

Value = TypeVar("Value")


class MemoryText:
    """What was written to a stream since it last began."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str, /) -> None:
        self.text += text

    def restart(self, told: object = None, /) -> None:
        self.text = ""


class MemorySteps:
    """The steps of one job; given to a second attempt, what was done is not done again."""

    def __init__(self) -> None:
        self.done: dict[str, bytes] = {}
        self.streams: dict[str, MemoryText] = {}

    def stream(self, name: str, /) -> MemoryText:
        return self.streams.setdefault(name, MemoryText())

    async def step(self, name: str, call: Callable[..., Awaitable[Value]], /, *args: Any) -> Value:
        adapter = TypeAdapter(get_type_hints(getattr(call, "__func__", call))["return"])
        if name not in self.done:
            self.done[name] = adapter.dump_json(await call(*args))
        return cast(Value, adapter.validate_json(self.done[name]))
