"""A provider of the engine's model port that speaks a wire of its own, one JSON answer to a request.

OCR and transcription are asked through `penstock.ai` as models are: the same chain, limits and ledger.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx2

from penstock.ai import Attachment, ModelAnswer, ModelFailure, ModelRequest
from penstock.ai.failures import Trouble, failure_of
from penstock.ai.headers import limits_in
from systems.study_notes.infrastructure.json_exchange import ExchangeFailed, exchange, new_client


class JsonProvider(ABC):
    """See the module. `base_url` has no slash at its end."""

    name: ClassVar[str]
    offline = False

    def __init__(self, base_url: str, key: str, model: str) -> None:
        self.model = model
        self.account = hashlib.sha256(key.encode()).hexdigest()[:8]
        self._base_url = base_url
        self._key = key
        self._client = new_client()

    @abstractmethod
    def asked(self, attachment: Attachment, request: ModelRequest[Any]) -> httpx2.Request:
        """The request on the wire."""

    @abstractmethod
    def read(self, answer: Mapping[str, Any]) -> str | None:
        """The answer's text; None when it is not of the shape that the wire has."""

    async def call(self, request: ModelRequest[Any], **told: Any) -> ModelAnswer[str] | ModelFailure:
        """See `penstock.ai.Provider`; nothing streams."""
        attachment = next(part for part in request.parts if isinstance(part, Attachment))
        try:
            answer = await exchange(self._client, self.asked(attachment, request))
        except ExchangeFailed as error:
            return self._failure(error.trouble)
        text = None if answer is None else self.read(answer.fields)
        if answer is None or text is None:
            return self._failure(Trouble("its answer has another shape than expected", broken="answer"))
        return ModelAnswer(text, text, self.name, self.model, finish_reason="stop", limits=limits_in(answer.headers))

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def _failure(self, trouble: Trouble) -> ModelFailure:
        return failure_of(trouble, provider=self.name, model=self.model, now=datetime.now(UTC))
