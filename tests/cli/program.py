"""The program called in this process, over a database of the test's own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from typer.testing import CliRunner, Result

from penstock.app import Penstock
from penstock.cli import app
from penstock.context import Job
from penstock.domain.job import JobData
from penstock.domain.signals import Permanent

R = TypeVar("R")


class Mail(JobData, kind="send_mail", queue="mail", max_attempts=3):
    to: str


class Report(JobData, kind="make_report", queue="reports"):
    month: int = 1


async def send_mail(job: Job[Mail]) -> str:
    if job.data.to == "nobody":
        raise Permanent("there is no such person")
    return f"sent to {job.data.to}"


class Program:
    """Calls the program; `engine` gives an open engine over the same database to arrange things."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *args: str, given: str | None = None) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--database", self.url, *args], input=given)

    def json(self, *args: str) -> Any:
        """What a call that must succeed says with --json."""
        done = self(*args, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def engine(self, work: Callable[[Penstock], Awaitable[R]]) -> R:
        async def session() -> R:
            async with Penstock(self.url) as engine:
                return await work(engine)

        return asyncio.run(session())

    def enqueue(self, *data: JobData, **options: Any) -> list[str]:
        """Enqueue; the ids."""
        return [handle.id for handle in self.engine(lambda e: e.enqueue_many(data, **options))]
