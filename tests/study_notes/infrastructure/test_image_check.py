import asyncio
import threading
from collections.abc import Iterator, Sequence

import httpx2
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from systems.study_notes.infrastructure.image_check import HttpImageCheck


class Names:
    """Name service of a test; remembers what it was asked."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self.addresses = {name.replace("_", "."): list(found) for name, found in addresses.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.addresses:
            raise OSError("no such host")
        return self.addresses[host]


@pytest.fixture
def check() -> HttpImageCheck:
    return HttpImageCheck(blocked_hosts=["lookaside.fbsbx.com"], allow_private=True)


def picture(httpserver: HTTPServer, path: str = "/a.png", kind: str = "image/png") -> str:
    httpserver.expect_request(path).respond_with_data(b"x" * 10, content_type=kind)
    return httpserver.url_for(path)


@pytest.mark.parametrize("kind", ["image/png", "image/svg+xml; charset=utf-8", "Image/JPEG"])
async def test_a_picture_is_accepted(check: HttpImageCheck, httpserver: HTTPServer, kind: str) -> None:
    assert await check.refusal(picture(httpserver, kind=kind)) is None


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "imagery/png"])
async def test_anything_else_than_a_picture_is_refused(
    check: HttpImageCheck, httpserver: HTTPServer, kind: str
) -> None:
    refusal = await check.refusal(picture(httpserver, kind=kind))
    assert refusal == f"is {kind}, not a picture"


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_an_error_answer_is_refused(check: HttpImageCheck, httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/a.png").respond_with_data(b"", status=status, content_type="image/png")
    assert await check.refusal(httpserver.url_for("/a.png")) == f"answered {status}"


@pytest.mark.parametrize(
    "url",
    [
        "https://lookaside.fbsbx.com/a.png",
        "https://LOOKASIDE.fbsbx.com./a.png",
        "https://x.lookaside.fbsbx.com/a.png",
    ],
)
async def test_a_blocked_host_is_never_asked(check: HttpImageCheck, url: str) -> None:
    assert "is blocked" in str(await check.refusal(url))


async def test_a_host_that_only_ends_like_a_blocked_one_is_not_blocked() -> None:
    names = Names()
    check = HttpImageCheck(blocked_hosts=["fbsbx.com"], resolve=names)
    await check.refusal("https://notfbsbx.com/a.png")
    assert names.asked == ["notfbsbx.com"]


@pytest.mark.parametrize(
    "url",
    ["ftp://e.org/a.png", "file:///etc/passwd", "data:image/png;base64,AA", "/a.png", "", "http://", "javascript:1"],
)
async def test_other_addresses_than_http_are_refused(check: HttpImageCheck, url: str) -> None:
    assert await check.refusal(url) is not None


@pytest.mark.parametrize("url", ["http://[::1", "http://e.org:99999/a", "http://a b/"])
async def test_an_address_that_cannot_be_read_is_a_reason_and_no_exception(check: HttpImageCheck, url: str) -> None:
    assert await check.refusal(url) is not None


async def test_a_user_part_is_refused(check: HttpImageCheck) -> None:
    assert await check.refusal("http://e.org@127.0.0.1/a.png") == "the address has a user part"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "2130706433", "0x7f.1", "0"],
)
async def test_private_hosts_are_refused_in_any_spelling(httpserver: HTTPServer, host: str) -> None:
    check = HttpImageCheck(blocked_hosts=[])
    picture(httpserver)
    assert "not a public address" in str(await check.refusal(f"http://{host}:{httpserver.port}/a.png"))
    assert httpserver.log == []


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    check = HttpImageCheck(blocked_hosts=[], resolve=Names(e_org=["93.184.216.34", "10.0.0.1"]))
    assert await check.refusal("http://e.org/a.png") == "host e.org is not a public address"


async def test_a_name_without_address_is_a_reason() -> None:
    check = HttpImageCheck(blocked_hosts=[], resolve=Names(empty_org=[]))
    assert await check.refusal("http://nowhere.org/a.png") == "cannot be fetched (OSError)"
    assert await check.refusal("http://empty.org/a.png") == "the host has no address"


async def test_the_address_that_was_judged_is_the_one_connected_to(httpserver: HTTPServer) -> None:
    names = Names(mill_example=["127.0.0.1"])
    check = HttpImageCheck(blocked_hosts=[], allow_private=True, resolve=names)
    picture(httpserver)
    assert await check.refusal(f"http://mill.example:{httpserver.port}/a.png?size=1") is None
    assert names.asked == ["mill.example"]
    request, _ = httpserver.log[0]
    assert request.headers["Host"] == f"mill.example:{httpserver.port}"
    assert request.query_string == b"size=1"


async def test_the_next_address_is_tried_when_one_cannot_be_reached(httpserver: HTTPServer) -> None:
    check = HttpImageCheck(blocked_hosts=[], allow_private=True, resolve=Names(mill_example=["127.0.0.2", "127.0.0.1"]))
    picture(httpserver)
    assert await check.refusal(f"http://mill.example:{httpserver.port}/a.png") is None


async def test_a_redirect_is_followed(check: HttpImageCheck, httpserver: HTTPServer) -> None:
    picture(httpserver, "/real.png")
    httpserver.expect_request("/a.png").respond_with_data(b"", status=302, headers={"Location": "/real.png"})
    assert await check.refusal(httpserver.url_for("/a.png")) is None


async def test_a_redirect_to_a_private_host_is_refused(httpserver: HTTPServer) -> None:
    # The first host passes for public here; the second is judged as it is.
    class FirstHostIsPublic(HttpImageCheck):
        async def _allowed_addresses(self, url: httpx2.URL) -> Sequence[str]:
            return ["127.0.0.1"] if url.host == "mill.example" else await super()._allowed_addresses(url)

    httpserver.expect_request("/a.png").respond_with_data(
        b"", status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"}
    )
    refusal = await FirstHostIsPublic(blocked_hosts=[]).refusal(f"http://mill.example:{httpserver.port}/a.png")
    assert refusal == "host 169.254.169.254 is not a public address"


async def test_a_redirect_to_a_blocked_host_is_refused(check: HttpImageCheck, httpserver: HTTPServer) -> None:
    target = "https://lookaside.fbsbx.com/x"
    httpserver.expect_request("/a.png").respond_with_data(b"", status=301, headers={"Location": target})
    assert await check.refusal(httpserver.url_for("/a.png")) == "host lookaside.fbsbx.com is blocked"


@pytest.mark.parametrize(("hops", "accepted"), [(3, True), (4, False)])
async def test_three_redirects_are_followed_and_no_more(
    check: HttpImageCheck, httpserver: HTTPServer, hops: int, accepted: bool
) -> None:
    picture(httpserver, "/0")
    for hop in range(1, hops + 1):
        httpserver.expect_request(f"/{hop}").respond_with_data(b"", status=307, headers={"Location": f"/{hop - 1}"})
    refusal = await check.refusal(httpserver.url_for(f"/{hops}"))
    assert refusal == (None if accepted else "more than 3 redirects")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


async def test_a_server_that_keeps_silent_is_refused(httpserver: HTTPServer, gate: threading.Event) -> None:
    def answer(_request: Request) -> Response:
        gate.wait(30)
        return Response(b"", content_type="image/png")

    httpserver.expect_request("/a.png").respond_with_handler(answer)
    check = HttpImageCheck(blocked_hosts=[], allow_private=True, timeout_s=0.2)
    assert await check.refusal(httpserver.url_for("/a.png")) == "no answer within 0.2 s"
    gate.set()


async def test_the_picture_itself_is_not_downloaded(check: HttpImageCheck) -> None:
    stopped = asyncio.Event()
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
        except ConnectionError:
            stopped.set()
        finally:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await check.refusal(f"http://127.0.0.1:{port}/a.png") is None
    await stopped.wait()
    assert sent < 100_000_000
    server.close()
    await server.wait_closed()
