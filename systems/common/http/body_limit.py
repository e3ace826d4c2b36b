"""No body may be larger than the system's routes can need."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class BodyLimit:
    """ASGI middleware: a body of more than `max_bytes` is answered with 413, while it arrives.

    With `uploads_apart` multipart bodies pass: routes that take uploads have limits of their own.
    """

    def __init__(self, app: _App, max_bytes: int, *, uploads_apart: bool = False) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._uploads_apart = uploads_apart

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or (self._uploads_apart and _is_upload(scope)):
            await self._app(scope, receive, send)
            return
        total = 0

        async def counted() -> _Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self._max_bytes:
                raise HTTPException(413, f"the body must not be larger than {self._max_bytes:,} bytes")
            return message

        await self._app(scope, counted, send)


def _is_upload(scope: _Scope) -> bool:
    return Headers(scope=scope).get("content-type", "").lower().startswith("multipart/form-data")
