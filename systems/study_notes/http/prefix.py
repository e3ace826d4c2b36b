"""Our own pictures as seen from outside: the application may be mounted below a prefix, of which notes know nothing."""

import re

from fastapi import Request

# In HTML between quotes, in Markdown between parentheses.
_PICTURE = re.compile(r"(?<=[\"(])/api/visuals/[0-9]+/image(?=[\")])")


def below_prefix(request: Request, text: str) -> str:
    """HTML or Markdown with the addresses of our own pictures below the application's prefix."""
    prefix = request.scope.get("root_path", "")
    return _PICTURE.sub(lambda found: f"{prefix}{found[0]}", text) if prefix else text


def picture_below_prefix(request: Request, image_url: str | None) -> str | None:
    """The address of a picture, below the application's prefix when it is one of our own."""
    return image_url and below_prefix(request, f'"{image_url}"').strip('"')
