"""Opened secrets do not leave in texts: errors, logs, progress."""

from collections.abc import Iterable, Mapping
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
        for secret in self._secrets.get((job_id, claim_id), ()):
            text = text.replace(secret, MASK)
        return text
