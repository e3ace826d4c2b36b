"""What all systems answer alike, over ASGI."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from systems.common.http import errors
from systems.common.http.body_limit import BodyLimit
from systems.common.http.identity import UserName, UserNumber
from systems.common.http.request_ids import RequestIds


def application() -> FastAPI:
    app = FastAPI()
    errors.install(app)

    @app.get("/name")
    async def name(user: UserName) -> str:
        return user

    @app.get("/number")
    async def number(user: UserNumber) -> int:
        return user

    @app.post("/body")
    async def body(given: dict[str, str]) -> int:
        return len(given)

    app.add_middleware(BodyLimit, max_bytes=100)
    app.add_middleware(RequestIds)
    return app


async def ask(method: str, path: str, **how: Any) -> httpx2.Response:
    transport = httpx2.ASGITransport(application(), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **how)


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        ("/name", "ada@example.org", 200),
        ("/name", "x" * 200, 200),
        ("/name", "x" * 201, 401),
        ("/name", "two words", 401),
        ("/name", "   ", 401),
        ("/name", None, 401),
        ("/number", "7", 200),
        ("/number", "0", 401),
        ("/number", "seven", 401),
        ("/number", "9" * 20, 401),
    ],
)
async def test_who_asks_is_read_from_the_header(path: str, user: str | None, status: int) -> None:
    answer = await ask("GET", path, headers={} if user is None else {"X-User-Id": user})
    assert answer.status_code == status
    if status == 401:
        error = answer.json()["error"]
        assert error["code"] == "UNAUTHORIZED"
        assert error["details"][0]["field"] == "X-User-Id"
        assert error["request_id"] == answer.headers["X-Request-Id"]


async def test_a_body_beyond_the_limit_is_refused_also_as_an_upload_unless_uploads_are_apart() -> None:
    answer = await ask("POST", "/body", json={"a": "x" * 200})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TOO_LARGE")
    answer = await ask("POST", "/body", files={"file": b"x" * 200})
    assert answer.status_code == 413
    assert (await ask("POST", "/body", json={"a": "x"})).json() == 1


@pytest.mark.parametrize(("content", "field"), [(b"{", "body"), (b"[]", "body"), (b'{"a": 1}', "a")])
async def test_a_wrong_body_names_the_field(content: bytes, field: str) -> None:
    answer = await ask("POST", "/body", content=content, headers={"content-type": "application/json"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"][0]["field"]) == (400, "VALIDATION_ERROR", field)


async def test_a_known_request_id_is_kept_and_a_strange_one_is_not() -> None:
    kept = await ask("GET", "/nowhere", headers={"X-Request-Id": "abc-1"})
    made = await ask("GET", "/nowhere", headers={"X-Request-Id": "a b"})
    assert kept.json()["error"]["request_id"] == "abc-1"
    assert kept.json()["error"]["code"] == "NOT_FOUND"
    assert made.headers["X-Request-Id"] != "a b"
