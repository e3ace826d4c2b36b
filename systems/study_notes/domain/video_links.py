"""Links to YouTube videos: which addresses name a video, decided by exact hosts and paths."""

import re
from urllib.parse import SplitResult, parse_qs, urlsplit

_SITES = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com"})
_SHORT = "youtu.be"
_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_PATH = re.compile(r"/(?:shorts|embed)/([^/]+)/?")
_PORTS = {"http": 80, "https": 443}
MAX_LINK_CHARS = 2_000


def video_id(url: str) -> str | None:
    """The 11 signs that name the video, None for every other address.

    Known are `/watch?v=ID`, `youtu.be/ID`, `/shorts/ID` and `/embed/ID`, by http or https, without a user part and
    without a port of its own.
    """
    text = url.strip()
    # Browsers drop tabs and line ends inside an address and read a backslash as a slash: such a text names two places.
    if len(text) > MAX_LINK_CHARS or re.search(r"[\s\\\x00-\x1f\x7f]", text):
        return None
    try:
        parts = urlsplit(text)
        foreign = parts.port not in (None, _PORTS.get(parts.scheme))
    except ValueError:
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc or foreign:
        return None
    found = _named(parts)
    return found if found and _ID.fullmatch(found) else None


def watch_url(video: str) -> str:
    """The one address under which a video is kept."""
    return f"https://www.youtube.com/watch?v={video}"


def _named(parts: SplitResult) -> str | None:
    host = (parts.hostname or "").lower()
    if host == _SHORT:
        return parts.path.removeprefix("/").removesuffix("/")
    if host not in _SITES:
        return None
    if parts.path in ("/watch", "/watch/"):
        named = parse_qs(parts.query).get("v", [])
        return named[0] if len(named) == 1 else None
    found = _PATH.fullmatch(parts.path)
    return found[1] if found else None
