"""Who asks: the header `X-User-Id`. It is trusted: whatever faces a network has to set it itself."""

import re
from typing import Annotated

from fastapi import Depends, Header

from systems.common.http.errors import Unauthorized

# What a 64-bit column holds.
MAX_ID = 2**63 - 1
_NAME = re.compile(r"[\x21-\x7e]{1,200}")


async def _given(x_user_id: Annotated[str | None, Header()] = None) -> str:
    text = (x_user_id or "").strip()
    if not text:
        raise Unauthorized("the header X-User-Id with the user's id is needed")
    return text


async def user_name(text: Annotated[str, Depends(_given)]) -> str:
    """The user's id where users are known by text. Raises `Unauthorized` when it is missing or no plain text."""
    if not _NAME.fullmatch(text):
        raise Unauthorized("X-User-Id must be at most 200 printable ASCII signs without spaces")
    return text


async def user_number(text: Annotated[str, Depends(_given)]) -> int:
    """The user's id where users are numbered. Raises `Unauthorized` when it is missing or no whole number from 1."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= MAX_ID):
        raise Unauthorized("X-User-Id must be a whole number from 1")
    return int(text)


UserName = Annotated[str, Depends(user_name)]
UserNumber = Annotated[int, Depends(user_number)]
