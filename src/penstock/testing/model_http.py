"""HTTP/1.1 as the model server speaks it: a `Connection` reads requests and writes responses."""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import responses
from typing import Any

from penstock.testing.model_errors import error_body

MOST_HEAD = 64 * 1024
"""Of a request line and its headers, in bytes."""

MOST_BODY = 10_000_000
"""Of a request, in bytes."""

_READ = 64 * 1024
_REQUEST_LINE = re.compile(r"([A-Z]+) (/[!-~]*) HTTP/([0-9]\.[0-9])")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")


class Refused(Exception):
    """The request is answered with this status and message, and the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class ReceivedRequest:
    """A request as it came.

    `path` has no query, the names of `headers` are in lower case, `json` is the parsed body (None when there is none),
    `received_at` the loop's time (seconds) when its last byte was read. The tokens are those that the usage of its
    answer says; 0 while there is none.
    """

    method: str
    path: str
    headers: dict[str, str]
    json: Any
    received_at: float
    input_tokens: int = 0
    output_tokens: int = 0


class Connection:
    """One client's connection. Writing raises ConnectionError when it is lost."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._unread = bytearray()
        self.last = False
        """Whether the next response is the last one here."""

    async def receive(self) -> ReceivedRequest | None:
        """The next request; None when the client has closed. Raises Refused when it is malformed or too large."""
        while (end := self._unread.find(b"\r\n\r\n")) < 0 and len(self._unread) <= MOST_HEAD:
            if not await self._fill():
                return None
        if not 0 <= end <= MOST_HEAD:
            raise Refused(431, f"the request line and headers are larger than {MOST_HEAD:,} bytes")
        method, path, headers = _head(self._unread[:end].decode("latin-1"))
        size = _body_size(headers)
        self.last = headers.get("connection", "").lower() == "close"
        del self._unread[: end + 4]
        while len(self._unread) < size:
            if not await self._fill():
                return None
        body = bytes(self._unread[:size])
        del self._unread[:size]
        return ReceivedRequest(method, path, headers, _parsed(body), asyncio.get_running_loop().time())

    async def until_gone(self) -> None:
        """Returns when the client has closed its side. What it sends meanwhile is kept for `receive`."""
        while len(self._unread) <= MOST_BODY and await self._fill():
            pass

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """A response of known length: JSON, unless `headers` say otherwise."""
        own = {"content-type": "application/json", "content-length": str(len(body))}
        await self._write(self._response_head(status, own, headers) + body)

    async def begin_events(self, headers: Mapping[str, str] | None = None) -> None:
        """The head of a response of server-sent events."""
        own = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        await self._write(self._response_head(200, own, headers))

    async def events(self, data: bytes, *, last: bool = False) -> None:
        """Some of these events, in one chunk."""
        await self._write(b"%x\r\n%b\r\n" % (len(data), data) + (b"0\r\n\r\n" if last else b""))

    async def close(self) -> None:
        """Close once all that was written is sent."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def refuse(self, refusal: Refused) -> None:
        """Answer, and read on until the client closes: closing over unread bytes could take the answer from it."""
        self.last = True
        await self.whole(refusal.status, error_body(str(refusal), "invalid_request_error"))
        self._writer.write_eof()
        while await self._reader.read(_READ):
            pass

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._writer.transport.abort()

    async def _fill(self) -> bool:
        """Read some more; False when there will be no more."""
        try:
            data = await self._reader.read(_READ)
        except ConnectionError:
            return False
        self._unread += data
        return bool(data)

    async def _write(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._writer.write(data)
        await self._writer.drain()

    def _response_head(self, status: int, own: dict[str, str], given: Mapping[str, str] | None) -> bytes:
        headers = own | ({"connection": "close"} if self.last else {})
        headers |= {name.lower(): value for name, value in (given or {}).items()}
        lines = [f"HTTP/1.1 {status} {responses.get(status, '')}", *(f"{name}: {headers[name]}" for name in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _head(text: str) -> tuple[str, str, dict[str, str]]:
    """Method, path and headers; a header that comes several times is joined by commas."""
    first, *lines = text.split("\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        raise Refused(400, "the request line is malformed; it is METHOD /path HTTP/1.1")
    if request[3] != "1.1":
        raise Refused(505, f"HTTP/{request[3]} is not spoken here, only HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise Refused(400, f"the header line {line!r} is malformed; it is name: value")
        name, value = header[1].lower(), header[2].rstrip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if "host" not in headers:
        raise Refused(400, "the header host is missing")
    return request[1], request[2].partition("?")[0], headers


def _body_size(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Refused(411, "transfer-encoding is not read here; send content-length")
    given = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise Refused(400, f"content-length is {given!r}; it must be a number of bytes")
    if int(given) > MOST_BODY:
        raise Refused(413, f"the body is {int(given):,} bytes, more than the limit of {MOST_BODY:,}")
    return int(given)


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
