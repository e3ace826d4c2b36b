"""Asking the application without a network, and over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn

from systems.study_notes.wiring import StudyNotes
from tests.study_notes.flow.support import until


@asynccontextmanager
async def client_of(notes: StudyNotes, user: str | None = "1") -> AsyncIterator[httpx2.AsyncClient]:
    """A client that calls the application directly."""
    transport = httpx2.ASGITransport(notes.app, raise_app_exceptions=False)
    headers = {} if user is None else {"X-User-Id": user}
    async with httpx2.AsyncClient(transport=transport, base_url="http://notes.test", headers=headers) as client:
        yield client


@asynccontextmanager
async def served(notes: StudyNotes) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application served on a free loopback port."""
    server = uvicorn.Server(uvicorn.Config(notes.app, port=0, log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"X-User-Id": "1"}, timeout=20
        ) as client:
            yield client
    finally:
        server.should_exit = True
        await serving
