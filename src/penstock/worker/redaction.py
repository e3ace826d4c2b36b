"""Opened secrets do not leave in texts: errors, logs, progress, streams."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from penstock.domain.secret import MASK


class Redactor:
    """Remembers, while a run lasts, the secrets it has opened, and masks them in texts of that run."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[str, int], list[str]] = {}

    @property
    def known(self) -> Mapping[tuple[str, int], Any]:
        """(job id, claim id) of the runs that have opened secrets."""
        return self._secrets

    def remember(self, job_id: str, claim_id: int, secrets: Iterable[str]) -> None:
        """These were opened for this run. The longest is masked first, since one may be part of another."""
        texts = sorted({text for text in secrets if text}, key=len, reverse=True)
        if texts:
            self._secrets[job_id, claim_id] = texts

    def forget(self, job_id: str, claim_id: int) -> None:
        """The run has ended."""
        self._secrets.pop((job_id, claim_id), None)

    def clean(self, job_id: str, claim_id: int, text: str) -> str:
        """The text with this run's secrets masked."""
        return _masked(self.secrets(job_id, claim_id), text)

    def secrets(self, job_id: str, claim_id: int) -> Sequence[str]:
        """What was opened for this run, the longest first."""
        return self._secrets.get((job_id, claim_id), ())

    @staticmethod
    def mask(secrets: Sequence[str]) -> "PieceMask | None":
        """What hides these in a text that comes in pieces; None when there are none."""
        return PieceMask(secrets) if secrets else None


class PieceMask:
    """Masks secrets, the longest first, in a text that comes in pieces: one may begin in one and end in another.

    So the end of what has come is held back as long as a secret may have begun in it.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = secrets
        self._held = ""

    def feed(self, text: str) -> str:
        """What of the text so far is clean for certain."""
        whole = self._held + text
        cut = self._begun_at(whole)
        self._held = whole[cut:]
        return _masked(self._secrets, whole[:cut])

    def rest(self) -> str:
        """What is held back, cleaned as the end of the text."""
        return _masked(self._secrets, self._held)

    def _begun_at(self, text: str) -> int:
        """Before this no secret has begun that is not yet complete, and no complete one lies across it."""
        cut = min((at for secret in self._secrets for at in _beginnings(secret, text)), default=len(text))
        while True:
            before = min((at for secret in self._secrets if (at := _across(secret, text, cut)) >= 0), default=cut)
            if before == cut:
                return cut
            cut = before


def _masked(secrets: Sequence[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _beginnings(secret: str, text: str) -> Iterator[int]:
    """Where the end of the text could be the beginning of the secret."""
    at = text.find(secret[0], max(0, len(text) - len(secret) + 1))
    while at >= 0:
        if secret.startswith(text[at:]):
            yield at
        at = text.find(secret[0], at + 1)


def _across(secret: str, text: str, cut: int) -> int:
    """Where the secret stands first so that it begins before `cut` and ends after it; -1 when it does not."""
    return text.find(secret, max(0, cut - len(secret) + 1), cut + len(secret) - 1)
