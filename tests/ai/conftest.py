"""A server that speaks OpenAI's wire, and a chain of one provider that asks it."""

from collections.abc import AsyncIterator

import pytest

from penstock.ai import ModelChain
from penstock.testing import ModelServer
from tests.ai.wire import chain_at


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A server of this test's own."""
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def chain(server: ModelServer) -> AsyncIterator[ModelChain]:
    """A chain that asks that server."""
    async with chain_at(server) as chain:
        yield chain
