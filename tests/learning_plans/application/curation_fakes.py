"""Ports of curation for tests: searches, a model and a store in memory, and a clock moved by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from penstock.ai import ModelAnswer, ModelFailure, ModelRequest
from systems.learning_plans.application.curation_ports import CurationTask, Search, TaskOutcome, Waiting
from systems.learning_plans.application.explanations import task_data
from systems.learning_plans.application.services.curation_service import CurationRules, CurationService
from systems.learning_plans.domain.found import FoundPage, FoundVideo

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TOPIC = "SQL"

Found = TypeVar("Found")
Script = Sequence[Found] | Exception | Callable[[Waiting], Awaitable[Sequence[Found]]]


class MovableClock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class FakeSearch(Generic[Found]):
    """Answers `usual`, or what `scripts` holds for a task's title."""

    usual: Script[Found] = ()
    scripts: Mapping[str, Script[Found]] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)

    async def search(self, query: str, waiting: Waiting, /) -> Sequence[Found]:
        self.queries.append(query)
        script = self.scripts.get(query.removeprefix(f"{TOPIC} "), self.usual)
        if isinstance(script, Exception):
            raise script
        return script if isinstance(script, Sequence) else await script(waiting)


@dataclass
class FakeExplainer:
    """A model whose answer is `answer`, raised when it is an exception, called when it is a function."""

    answer: str | ModelFailure | Exception | Callable[[], str] = "An explanation."
    requests: list[ModelRequest[Any]] = field(default_factory=list)

    async def ask(self, request: ModelRequest[Any], **told: Any) -> ModelAnswer[Any] | ModelFailure:
        self.requests.append(request)
        answer = self.answer() if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, ModelFailure) else ModelAnswer(answer, answer, "fake", "m")

    @property
    def tasks(self) -> list[str]:
        return [task_data(request.prompt_text)["task"] for request in self.requests]


@dataclass
class FakeStore:
    kept: list[TaskOutcome] = field(default_factory=list)
    broken_for: str | None = None

    async def keep(self, outcomes: Sequence[TaskOutcome]) -> None:
        if any(outcome.task_id == self.broken_for for outcome in outcomes):
            raise OSError("the database is away")
        self.kept += outcomes


@dataclass
class Bench:
    """A curation service with all its ports in reach."""

    videos: FakeSearch[FoundVideo] = field(default_factory=FakeSearch)
    docs: FakeSearch[FoundPage] = field(default_factory=FakeSearch)
    model: FakeExplainer = field(default_factory=FakeExplainer)
    store: FakeStore = field(default_factory=FakeStore)
    clock: MovableClock = field(default_factory=MovableClock)
    rules: CurationRules = field(default_factory=CurationRules)

    def service(self, *, videos: Search[FoundVideo] | None = None) -> CurationService:
        return CurationService(videos or self.videos, self.docs, self.model, self.store, self.clock, self.rules)

    def taking(self, seconds: float, *found: Found) -> Callable[[Waiting], Awaitable[Sequence[Found]]]:
        """A search that works for so long."""

        async def search(waiting: Waiting) -> Sequence[Found]:
            self.clock.advance(seconds)
            return found

        return search

    def waiting(self, seconds: float, *found: Found) -> Callable[[Waiting], Awaitable[Sequence[Found]]]:
        """A search that waits for its turn for so long, after all others have begun to wait too."""

        async def search(waiting: Waiting) -> Sequence[Found]:
            with waiting():
                await asyncio.sleep(0)
                self.clock.advance(seconds)
            return found

        return search


def tasks(*titles: str, explained: bool = False) -> list[CurationTask]:
    """Tasks of one module, called as their titles."""
    return [CurationTask(title, (0, n), title, f"About {title}.", explained) for n, title in enumerate(titles)]


def video(title: str, *, views: int = 9_999_999, name: str = "") -> FoundVideo:
    """A new, well-liked video of ten minutes: its score is .75 and a quarter of its relevance."""
    url = f"https://www.youtube.com/watch?v={name or title.replace(' ', '_')}"
    return FoundVideo(url, title, "A channel", views, NOW, 10.0)


def page(title: str, *, host: str = "docs.python.org", name: str = "") -> FoundPage:
    return FoundPage(f"https://{host}/{name or title.replace(' ', '_')}", title)
