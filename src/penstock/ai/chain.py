"""Several models behind one port: the first usable answer wins."""

from collections.abc import Sequence

from penstock.ai.errors import ModelError
from penstock.ai.port import LanguageModel, ModelAnswer, ModelRequest


class ModelChain:
    """Asks its models in order until one answers with text.

    A model that raises or answers with nothing but white space is passed over. Cancellation is not an answer and goes
    straight to the caller.
    """

    def __init__(self, models: Sequence[LanguageModel]) -> None:
        """Raises ValueError when `models` is empty."""
        if not models:
            raise ValueError("models: a chain needs at least one model")
        self._models = tuple(models)

    async def generate(self, request: ModelRequest) -> ModelAnswer:
        """Return the first answer that has text.

        Raises the last model's `ModelError` when all of them failed; any other exception of the last model is wrapped
        in a retryable `ModelError` of kind "unknown" that names it and carries it as its cause.
        """
        failure = ModelError("no model was asked", kind="unknown", retryable=True)
        for model in self._models:
            try:
                answer = await model.generate(request)
            except ModelError as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - whatever a provider raises, the next one is asked; the last is kept
                failure = ModelError(f"{type(error).__name__}: {error}", kind="unknown", retryable=True)
                failure.__cause__ = error
            else:
                if answer.text.strip():
                    return answer
                failure = ModelError(
                    f"{answer.provider} ({answer.model}) gave a blank answer", kind="provider_error", retryable=True
                )
        raise failure
