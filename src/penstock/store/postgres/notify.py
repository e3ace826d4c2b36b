"""The text of wake-ups on their way through PostgreSQL's NOTIFY: topics joined by commas.

Anybody may send them (`SELECT pg_notify('penstock', 'q:default')`). A store puts its own mark before those whose
listeners in this process it has called already.
"""

from collections.abc import Iterable
from typing import NamedTuple

from penstock import codec
from penstock.store.base import Topics
from penstock.store.postgres.parameters import Query

EVERYTHING: Topics = frozenset()
LISTEN = Query(b"LISTEN penstock", prepare=False)

_MAX_BYTES = 7_000  # the server takes less than 8,000
_MARK = "@"
_PING = "ping"
_NOTIFY = b"SELECT pg_notify('penstock', text) FROM json_array_elements_text($1::json) AS texts(text)"


class Received(NamedTuple):
    """A notification: the mark of the store it came from, whether it is only a sign of life, and its topics."""

    sender: str | None
    ping: bool
    topics: Topics


def notify_query(topics: Topics, sender: str | None = None) -> Query:
    """The query that wakes for these topics; the empty set means "look at everything"."""
    return Query(_NOTIFY, (codec.ids(_texts(sorted(topics), _prefix(sender))),))


def ping_query(sender: str) -> Query:
    """The query by which a listener assures itself that it still hears."""
    return Query(_NOTIFY, (codec.ids([f"{_prefix(sender)}{_PING}"]),))


def received(text: str) -> Received:
    """Read a notification."""
    sender = None
    if text.startswith(_MARK):
        mark, _, text = text.partition(",")
        sender = mark.removeprefix(_MARK)
    if text == _PING:
        return Received(sender, True, EVERYTHING)
    return Received(sender, False, frozenset(topic for topic in text.split(",") if topic))


def _prefix(sender: str | None) -> str:
    return f"{_MARK}{sender}," if sender else ""


def _texts(topics: Iterable[str], prefix: str) -> list[str]:
    """As few texts as hold them all; a topic alone is always short (names have at most 200 characters)."""
    texts: list[str] = []
    size = _MAX_BYTES
    for topic in topics:
        length = len(topic.encode()) + 1
        if size + length > _MAX_BYTES:
            texts.append(prefix + topic)
            size = len(prefix) + length
        else:
            texts[-1] += f",{topic}"
            size += length
    return texts or [prefix]
