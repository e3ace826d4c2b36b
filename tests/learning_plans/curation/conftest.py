"""Wires of one's own for each test, and a database of each kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.learning_plans.wires.search_wires import SearchWires, Video
from tests.support.wires import threaded_server, wires_on

TITLES = ("joins", "views", "indexes", "locks", "plans")


@pytest.fixture
def wires() -> Iterator[SearchWires]:
    """Knows three good videos for each of five tasks."""
    server = threaded_server()
    server.start()
    wires = wires_on(server, SearchWires)
    wires.by_word = {title: [Video(f"{title}{n}", f"SQL {title} {n}") for n in range(3)] for title in TITLES}
    yield wires
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plans.db"
    return str(request.getfixturevalue("postgres_url"))
