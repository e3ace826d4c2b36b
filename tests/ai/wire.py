"""A provider that speaks OpenAI's wire to a server of this test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from penstock.ai import Gate, ModelChain, Provider
from penstock.ai.providers import provider_from
from penstock.testing.model_server import ModelServer


def provider_at(server: ModelServer, name: str = "openai", model: str = "gpt-4o-mini") -> Provider:
    return provider_from(name, model=model, api_key="k", base_url=server.base_url)


@asynccontextmanager
async def chain_at(*servers: ModelServer, gate: Gate | None = None) -> AsyncIterator[ModelChain]:
    """A chain over these servers, of providers that are called first, second, …"""
    names = ["first", "second", "third"]
    chain = ModelChain([provider_at(server, name) for server, name in zip(servers, names, strict=False)], gate=gate)
    try:
        yield chain
    finally:
        await chain.close()
