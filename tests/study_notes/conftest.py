"""What tests of more than one part of study notes stand on."""

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from tests.study_notes.wires.media_wires import MediaWires
from tests.support.wires import threaded_server, wires_on


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """The database: None for a SQLite file of the test's own, else a PostgreSQL one."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def media_server() -> Iterator[HTTPServer]:
    server = threaded_server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def media(media_server: HTTPServer) -> MediaWires:
    """The wires of captions, OCR and speech."""
    return wires_on(media_server, MediaWires)
