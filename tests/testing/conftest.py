"""The model server and a client of it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from penstock.testing import ModelServer


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A server of this test's own."""
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[httpx2.AsyncClient]:
    """A plain client of that server."""
    async with httpx2.AsyncClient(base_url=server.base_url, trust_env=False, timeout=30) as client:
        yield client
