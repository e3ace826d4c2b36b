"""The wires of the search services, clients that wait in no real time, and a database of each kind."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pytest_httpserver import HTTPServer

from systems.common.database.connections import Database
from systems.learning_plans.application.curation_ports import Waiting
from systems.learning_plans.infrastructure.database import migrate, open_database
from systems.learning_plans.infrastructure.search_api import SearchApi
from tests.learning_plans.wires.search_wires import (
    GOOGLE,
    GOOGLE_KEY,
    MDN,
    YOUTUBE,
    YOUTUBE_KEY,
    SearchWires,
)
from tests.support.wires import threaded_server, wires_on


@pytest.fixture(scope="session")
def search_server() -> Iterator[HTTPServer]:
    server = threaded_server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def wires(search_server: HTTPServer) -> SearchWires:
    return wires_on(search_server, SearchWires)


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as opened:
        yield opened


@pytest.fixture
def slept() -> list[float]:
    """How long the clients waited before each repeat."""
    return []


@pytest.fixture
def api(client: httpx2.AsyncClient, wires: SearchWires, slept: list[float]) -> Callable[..., SearchApi]:
    """Makes a client of YouTube, Google or MDN."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    secrets = {"YouTube": {"key": YOUTUBE_KEY}, "Google": {"key": GOOGLE_KEY}, "MDN": {}}
    paths = {"YouTube": YOUTUBE, "Google": GOOGLE, "MDN": MDN}

    def make(name: str, **options: Any) -> SearchApi:
        base_url = wires.url + paths[name]
        return SearchApi(name, client, base_url, **{"secrets": secrets[name], "sleep": sleep, **options})

    return make


@pytest.fixture
def waiting() -> Waiting:
    return nullcontext


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plans.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = open_database(database_url)
    await migrate(opened)
    yield opened
    await opened.close()
