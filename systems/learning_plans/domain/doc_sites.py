"""Which documentation sites are trusted, how much, and which addresses on them may be stored."""

import re
from collections.abc import Sequence
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from systems.learning_plans.domain.video_score import DIGITS, recency

AUTHORITY_WEIGHT = 0.6
RELEVANCE_WEIGHT = 0.3
RECENCY_WEIGHT = 0.1
UNKNOWN_RECENCY = 0.5

_FIRST_HAND = ("developer.mozilla.org", "docs.python.org")
_OTHERS = (
    "react.dev",
    "nodejs.org",
    "typescriptlang.org",
    "postgresql.org",
    "docs.docker.com",
    "kubernetes.io",
    "go.dev",
    "doc.rust-lang.org",
    "learn.microsoft.com",
    "docs.aws.amazon.com",
    "cloud.google.com",
    "developer.apple.com",
    "docs.github.com",
    "vuejs.org",
    "angular.dev",
    "docs.oracle.com",
    "pytorch.org",
)
DEFAULT_DOMAINS = (*_FIRST_HAND, *_OTHERS)
"""The allow-list unless `DOCS_ALLOWED_DOMAINS` names another."""

AUTHORITY = dict.fromkeys(_FIRST_HAND, 1.0) | dict.fromkeys(_OTHERS, 0.9)
DEFAULT_AUTHORITY = 0.5

_TRACKING = frozenset({"gclid", "fbclid", "ref"})
# RFC 3986, without the brackets of number hosts: blanks, quotes, angle brackets and other letters come encoded.
_SIGNS = re.compile(r"[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARS = 2_000


def site_of(host: str, domains: Sequence[str]) -> str | None:
    """The domain of the list that a host is or lies below, None when there is none."""
    return next((domain for domain in domains if host == domain or host.endswith(f".{domain}")), None)


def authority(host: str) -> float:
    """How far a host's documentation can be trusted, 0 to 1."""
    site = site_of(host, DEFAULT_DOMAINS)
    return DEFAULT_AUTHORITY if site is None else AUTHORITY[site]


def doc_score(*, host: str, relevance: float, age_days: float | None) -> float:
    """0 to 1; `age_days` is None when nothing is known of it."""
    fresh = UNKNOWN_RECENCY if age_days is None else recency(age_days)
    score = AUTHORITY_WEIGHT * authority(host) + RELEVANCE_WEIGHT * relevance + RECENCY_WEIGHT * fresh
    return round(score, DIGITS)


def host_of(url: str) -> str | None:
    """The host of an http or https address in lower case; None for any other, or one that two readers might read
    differently (user parts, signs that no address has, hosts of other signs than names have, ports that are none)."""
    if len(url) > MAX_URL_CHARS or not _SIGNS.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is no port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc:
        return None
    host = (parts.hostname or "").rstrip(".")
    return host if _HOST.fullmatch(host) else None


def clean_url(url: str) -> str | None:
    """The address as it is stored: scheme and host in lower case, no default port, no tracking parameters; the rest as
    it was. None when `host_of` is."""
    host = host_of(url)
    if host is None:
        return None
    parts = urlsplit(url)
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    query = "&".join(piece for piece in parts.query.split("&") if not _is_tracking(piece))
    return urlunsplit((parts.scheme, host + port, parts.path or "/", query, parts.fragment))


def _is_tracking(piece: str) -> bool:
    name = unquote_plus(piece.partition("=")[0]).lower()
    return name in _TRACKING or name.startswith("utm_")
