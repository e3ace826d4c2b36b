"""A worker whose jobs each ask a model server once: `python -m tests.ledger.limited_worker DATABASE SERVER LIMIT`.

LIMIT: a `ModelLimit` as JSON. It speaks to the server itself: a vendor's library takes seconds to load, and there are
many of these processes.
"""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from penstock import Job, JobData, Penstock, Queue, Worker
from penstock.ai import ModelAnswer, ModelChain, ModelFailure, ModelLimit, ModelRequest, Usage, answer_or_raise


class Ask(JobData, kind="ask"):
    """One question."""


class WireProvider:
    """Asks for a chat completion, on a connection of its own."""

    name, model, account, offline = "acme", "small", "key-1", False

    def __init__(self, base_url: str) -> None:
        self._at = urlsplit(base_url)

    async def call(self, request: ModelRequest[Any], **_: object) -> ModelAnswer[str] | ModelFailure:
        """See `Provider.call`."""
        body = json.dumps({"model": self.model, "messages": [{"role": "user", "content": request.prompt_text}]})
        head = f"POST {self._at.path}/chat/completions HTTP/1.1\r\nHost: {self._at.netloc}\r\nConnection: close\r\n"
        reader, writer = await asyncio.open_connection(self._at.hostname, self._at.port)
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        used = json.loads(answer)["usage"]
        usage = Usage(used["prompt_tokens"], used["completion_tokens"])
        return ModelAnswer("yes", "yes", self.name, self.model, usage=usage)

    async def close(self) -> None:
        """Nothing to close."""


async def main(database: str, server: str, limit: str) -> None:
    options: dict[str, Any] = {"limits": [ModelLimit(**json.loads(limit))]}
    async with Penstock(database, **options) as engine:
        models = ModelChain([WireProvider(server)], gate=engine.ledger)

        async def ask() -> str:
            return answer_or_raise(await models.ask(ModelRequest("Answer.", "Well?" * 20))).text

        async def handle(job: Job[Ask]) -> str:
            return await job.step("ask", ask)

        handle.handles = Ask  # type: ignore[attr-defined]
        worker = Worker(engine, [handle], queues={"default": Queue(concurrency=20)})
        raise SystemExit(await worker.run())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
