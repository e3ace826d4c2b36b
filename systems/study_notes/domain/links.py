"""Which addresses may stand in a note."""

import re
from urllib.parse import quote, urlsplit

_OWN_PICTURE = re.compile(r"/api/visuals/[0-9]+/image")
# The characters that RFC 3986 allows in an address; all others are percent-encoded.
_ADDRESS_SIGNS = ":/?#[]@!$&'()*+,;=%-._~"


def own_picture(visual_id: int) -> str:
    """The path at which this system serves the offline picture of a visual."""
    return f"/api/visuals/{visual_id}/image"


def web_link(url: str | None) -> str | None:
    """`url` in plain ASCII when it is an http or https address with a host, else None."""
    if not url:
        return None
    address = quote(url.strip(), safe=_ADDRESS_SIGNS)
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in ("http", "https") and parts.hostname else None


def image_link(url: str | None) -> str | None:
    """`url` when a picture may be shown from it: a web address or the path of one of our own pictures, else None."""
    return url if url and _OWN_PICTURE.fullmatch(url) else web_link(url)
