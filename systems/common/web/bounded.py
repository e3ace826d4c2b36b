"""Answers of services read with care: not packed, not endless, and JSON only where they say so."""

from typing import Any

import httpx2
import orjson

# Not packed: what is packed small may be endless when unpacked.
ASKS_FOR_JSON = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Unreadable(Exception):
    """The answer is none that will be read; the text says why, to follow the service's name."""


async def body_of(response: httpx2.Response, max_bytes: int) -> bytes:
    """The whole body of a streamed response. Raises `Unreadable` for a packed one and one of more than `max_bytes`."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unreadable("answered packed, unasked")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > max_bytes:
            raise Unreadable(f"answered more than {max_bytes:,} bytes")
    return bytes(body)


def says_json(response: httpx2.Response) -> bool:
    """Whether the response is JSON by its own word, or does not say what it is."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return not kind or kind == "application/json" or kind.endswith("+json")


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, None when it is anything else."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
