"""Sealing: `Secret` fields leave the process only encrypted, bound to their job and field.

AES-256-GCM; a sealed value carries the id of its key. The first configured key seals, all open.
"""

import base64
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock import codec
from penstock.domain.secret import SEALED
from penstock.errors import SealingError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D, the recommended length for GCM


class Keyring:
    """The configured keys, in order. `text` is `id:base64,id:base64,…`; the empty text is a ring without keys."""

    def __init__(self, text: str = "") -> None:
        self._keys: dict[str, AESGCM] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            key_id, _, encoded = entry.partition(":")
            self._keys[key_id] = _cipher(_decoded(key_id, encoded))

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all keys; the first one seals."""
        return tuple(self._keys)

    def seal(self, value: str, job_id: str, field: str) -> str:
        """`keyid.base64` of the value, bound to job and field. Raises SealingError without a key."""
        if not self._keys:
            raise SealingError(
                f"field {field!r} is a Secret and no key is configured; set PENSTOCK_SECRET_KEYS to id:base64 "
                "(make a key: penstock secrets new-key)"
            )
        key_id = self.ids[0]
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._keys[key_id].encrypt(nonce, value.encode(), _bound(job_id, field))
        return f"{key_id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, job_id: str, field: str) -> str:
        """The value of a sealed text. Raises SealingError for an unknown key, another job or another field."""
        key_id, _, encoded = sealed.partition(".")
        key = self._keys.get(key_id)
        if key is None:
            raise SealingError(f"field {field!r} is sealed with key {key_id!r}, which is not configured here")
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        raw = base64.urlsafe_b64decode(encoded)
        try:
            return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(job_id, field)).decode()
        except InvalidTag:
            raise SealingError(f"field {field!r} cannot be opened: it was sealed for another job or field") from None


def new_key(key_id: str) -> str:
    """A fresh entry for `PENSTOCK_SECRET_KEYS`."""
    return f"{key_id}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def _cipher(key: bytes) -> "AESGCM":
    # Seven megabytes that a worker without keys does not need.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)


def _decoded(key_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if not key_id or "." in key_id or len(key) != KEY_BYTES:
        raise SealingError(f"secret key {key_id!r} must be id:base64 of {KEY_BYTES} bytes, the id without a dot")
    return key


def _bound(job_id: str, field: str) -> bytes:
    return f"{job_id}\x00{field}".encode()


def seal_all(value: Any, keyring: Keyring, job_id: str) -> Any:
    """A dumped model with every marked secret sealed (see `domain.secret`)."""
    return _walk(value, "", lambda secret, field: {SEALED: keyring.seal(codec.dumps(secret).decode(), job_id, field)})


def open_all(value: Any, keyring: Keyring, job_id: str) -> tuple[Any, list[str]]:
    """Stored data with every sealed secret opened, and the opened texts (to be redacted wherever text leaves)."""
    opened: list[str] = []

    def open_one(sealed: Any, field: str) -> Any:
        plain = codec.loads(keyring.open(sealed, job_id, field))
        opened.append(str(plain))
        return plain

    return _walk(value, "", open_one), opened


def move_all(value: Any, keyring: Keyring, job_id: str, to: str) -> Any:
    """Stored data of a job with every sealed secret sealed for another one. Raises SealingError."""
    return _walk(
        value, "", lambda sealed, field: {SEALED: keyring.seal(keyring.open(sealed, job_id, field), to, field)}
    )


def _walk(value: Any, path: str, change: Callable[[Any, str], Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {SEALED}:
            return change(value[SEALED], path)
        return {key: _walk(item, f"{path}.{key}" if path else key, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, f"{path}[{index}]", change) for index, item in enumerate(value)]
    return value
