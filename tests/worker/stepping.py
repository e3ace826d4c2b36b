"""What the steps of tests call."""

from typing import Any

from pydantic import BaseModel


class Outline(BaseModel):
    """What a step makes."""

    title: str
    parts: tuple[int, ...] = ()


class Desk:
    """Counts what steps call."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def outline(self, title: str) -> Outline:
        self.calls.append(f"outline {title}")
        return Outline(title=title, parts=(1, 2))

    def count(self, number: int) -> int:
        self.calls.append(f"count {number}")
        return number + 1

    async def unknown(self) -> Any:
        self.calls.append("unknown")
        return {"a": [1, None, "x"]}

    async def nothing(self) -> None:
        self.calls.append("nothing")
