"""Wake-ups between processes: datagrams on Unix sockets in a folder beside the file.

Each listening process binds one socket there; a sender sends to every socket it finds. Nothing here may fail or block a
sender: what gets lost is found by the data-version polling.
"""

import errno
import hashlib
import logging
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson

from penstock.store.base import Topics

logger = logging.getLogger(__name__)

EVERYTHING: Topics = frozenset()
"""As a wake-up: look at everything."""

LONGEST_PATH = 100
"""Of a socket, in bytes: the address structure has room for 104 (macOS) or 108 (Linux)."""

LONGEST_PAYLOAD = 1024
"""Bytes; more topics than fit are sent as "everything"."""

LIST_SECONDS = 0.02
"""A sender that sends often lists the folder this often: a listener may miss what is sent in its first moments."""

_FULL = 8
"""Linux queues at least 10 datagrams a socket: after this many at once some may have been dropped."""

_NAME_LENGTH = 32
_BIND_TRIES = 5


def folder_of(database: Path) -> Path:
    """Where the sockets of this file's processes are: beside it, or in the temporary folder if that is too long."""
    beside = database.with_name(f"{database.name}-penstock")
    if len(os.fsencode(beside)) + _NAME_LENGTH <= LONGEST_PATH:
        return beside
    digest = hashlib.sha256(os.fsencode(database)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"penstock-{os.getuid()}-{digest}"


def encode(topics: Topics) -> bytes:
    """The datagram for these topics."""
    text = orjson.dumps(sorted(topics))
    return text if len(text) <= LONGEST_PAYLOAD else b"[]"


def decode(payload: bytes) -> Topics:
    """The topics of a datagram; one that cannot be read means everything."""
    try:
        topics = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return EVERYTHING
    return frozenset(str(topic) for topic in topics) if isinstance(topics, list) else EVERYTHING


class Sender:
    """Sends to all sockets of the folder but one's own; from one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._listed_at = -LIST_SECONDS
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, topics: Topics, own: str | None) -> None:
        """Send; `own`: the name of the socket to leave out."""
        names = [name for name in self._listeners() if name != own]
        if names:
            payload = encode(topics)
            for name in names:
                self._send_to(os.path.join(self._folder, name), payload)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _listeners(self) -> list[str]:
        now = time.monotonic()
        if now - self._listed_at >= LIST_SECONDS:
            self._listed_at = now
            try:
                self._names = [name for name in os.listdir(self._folder) if name.endswith(".sock")]
            except OSError:  # nobody listens, or another user's folder
                self._names = []
        return self._names

    def _send_to(self, address: str, payload: bytes) -> None:
        try:
            self._socket.sendto(payload, address)
        except ConnectionRefusedError:  # its process is dead
            _remove(address)
        except OSError as error:
            # Gone, full (then it looks at everything anyway), not ours: its polling is the net.
            if error.errno not in (errno.ENOENT, errno.EAGAIN, errno.ENOBUFS, errno.EACCES, errno.EPERM):
                logger.warning("no wake-up could be sent to %s: %s", address, error)


class Inbox:
    """One process's socket. Creating it binds; raises OSError when that is not possible."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}.sock"
        self._address = os.path.join(folder, self.name)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._bind()
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For the event loop."""
        return self._socket.fileno()

    def read(self) -> list[Topics]:
        """What has come, merged: a list of one wake-up, or of none."""
        received = [decode(payload) for payload in self._payloads()]
        if not received:
            return []
        if len(received) >= _FULL or EVERYTHING in received:
            return [EVERYTHING]
        return [frozenset().union(*received)]

    def close(self) -> None:
        """Close and remove the socket, and the folder after the last one."""
        self._socket.close()
        _remove(self._address)
        with suppress(OSError):  # others still listen there
            self._folder.rmdir()

    def _bind(self) -> None:
        for _ in range(_BIND_TRIES):
            _private_folder(self._folder)
            try:
                self._socket.bind(self._address)
            except FileNotFoundError:  # the last listener has just removed the folder
                continue
            return
        raise FileNotFoundError(errno.ENOENT, "the folder for wake-ups keeps disappearing", str(self._folder))

    def _payloads(self) -> Iterator[bytes]:
        while True:
            try:
                yield self._socket.recv(LONGEST_PAYLOAD + 1)
            except BlockingIOError:
                return


def _private_folder(folder: Path) -> None:
    """Make the folder, or check that it is one of this user's: in the temporary folder others could lay one."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "the folder for wake-ups belongs to somebody else", str(folder))


def _remove(address: str) -> None:
    try:
        os.unlink(address)
    except OSError as error:
        if error.errno != errno.ENOENT:
            logger.warning("the socket %s could not be removed: %s", address, error)
