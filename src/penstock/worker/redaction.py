"""Opened secrets do not leave in texts: errors, logs, progress, streams."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.domain.secret import MASK


class Secrets:
    """What was opened for one run, and how it is masked: from the left, and the longest of those that begin alike."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = sorted(texts, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._texts)))

    def masked(self, text: str) -> str:
        """The text without them."""
        return self._pattern.sub(MASK, text)

    def begun_at(self, text: str) -> int:
        """Where one may begin that ends in text yet to come; the length of the text where none may.

        What is before it is masked now as it would be later.
        """
        spans = [found.span() for found in self._pattern.finditer(text)]
        for at in sorted({at for one in self._texts for at in _beginnings(one, text)}):
            # Inside of one that is masked nothing begins.
            if not any(start < at < end for start, end in spans):
                return at
        return len(text)


class Redactor:
    """Remembers, while a run lasts, the secrets it has opened, and masks them in texts of that run."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[str, int], Secrets] = {}

    @property
    def known(self) -> Mapping[tuple[str, int], Any]:
        """(job id, claim id) of the runs that have opened secrets."""
        return self._secrets

    def remember(self, job_id: str, claim_id: int, secrets: Iterable[str]) -> None:
        """These were opened for this run."""
        texts = {text for text in secrets if text}
        if texts:
            self._secrets[job_id, claim_id] = Secrets(texts)

    def forget(self, job_id: str, claim_id: int) -> None:
        """The run has ended."""
        self._secrets.pop((job_id, claim_id), None)

    def of(self, job_id: str, claim_id: int) -> Secrets | None:
        """What this run has opened; None: nothing."""
        return self._secrets.get((job_id, claim_id))

    def clean(self, job_id: str, claim_id: int, text: str) -> str:
        """The text with this run's secrets masked."""
        secrets = self.of(job_id, claim_id)
        return text if secrets is None else secrets.masked(text)


class PieceMask:
    """Masks secrets in a text that comes in pieces: one may begin in one piece and end in another.

    So the end of what has come is held back as long as a secret may have begun in it, never more than one is long.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._held = ""

    def feed(self, text: str) -> str:
        """What of the text so far is clean for certain."""
        whole = self._held + text
        at = self._secrets.begun_at(whole)
        self._held = whole[at:]
        return self._secrets.masked(whole[:at])

    def rest(self) -> str:
        """What is held back, cleaned as the end of the text."""
        return self._secrets.masked(self._held)


def _beginnings(secret: str, text: str) -> Iterator[int]:
    """Where the end of the text could be the beginning of the secret, and is not all of it."""
    at = text.find(secret[0], max(0, len(text) - len(secret) + 1))
    while at >= 0:
        if secret.startswith(text[at:]):
            yield at
        at = text.find(secret[0], at + 1)
