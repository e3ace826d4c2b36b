"""Who asks: the header `X-User-Id`, a whole number. It is trusted: whatever faces a network has to set it itself."""

from typing import Annotated

from fastapi import Depends, Header

from systems.study_notes.http.errors import Unauthorized

# What a 64-bit column holds.
MAX_ID = 2**63 - 1


async def user_id(x_user_id: Annotated[str | None, Header()] = None) -> int:
    """The user's number. Raises `Unauthorized` when it is missing or no whole number from 1."""
    if x_user_id is None or not x_user_id.strip():
        raise Unauthorized("the header X-User-Id with the user's number is needed")
    text = x_user_id.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= MAX_ID):
        raise Unauthorized("X-User-Id must be a whole number from 1")
    return int(text)


UserId = Annotated[int, Depends(user_id)]
