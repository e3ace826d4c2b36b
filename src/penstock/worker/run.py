"""A run inside the worker: a claimed job, its handler and how far it is."""

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Any

from penstock.context import Job
from penstock.domain.claimed import ClaimedJob
from penstock.registry import HandlerEntry


class Stop(Enum):
    """Why a run is to stop before its handler has ended."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    RELEASE = "release"
    LOST = "lost"


class Run:
    """One run. `started_at` µs of the store's clock, `began` and `kill_at` seconds of the loop's.

    entered: the handler's code has begun; concluded: its outcome is decided (a handler that would not stop may still
    be running); marked: the store knows that it has started; solo: it was claimed alone.
    """

    __slots__ = (
        "began", "claimed", "concluded", "entered", "entry", "job", "kill_at", "marked", "options", "solo",
        "started_at", "stop", "stop_reason", "task", "timeout_s",
    )  # fmt: skip

    def __init__(
        self, claimed: ClaimedJob, entry: HandlerEntry | None, began: float, started_at: int, *, solo: bool
    ) -> None:
        self.claimed = claimed
        self.entry = entry
        self.began = began
        self.started_at = started_at
        self.solo = solo
        self.job: Job[Any] | None = None
        self.options: Mapping[str, Any] = {}
        self.task: asyncio.Task[None] | None = None
        self.timeout_s: float | None = None
        self.stop: Stop | None = None
        self.stop_reason = ""
        self.kill_at: float | None = None
        self.entered = False
        self.concluded = False
        self.marked = False

    @property
    def label(self) -> str:
        """How logs and tasks call it."""
        return f"{self.claimed.kind}:{self.claimed.id}"

    @property
    def ended_inside(self) -> bool:
        """Whether the handler has ended its job in a transaction of its own."""
        return self.job is not None and self.job.ended
