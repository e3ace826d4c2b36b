import asyncio

import pytest

from penstock.ai import ModelAnswer, ModelChain, ModelError, ModelRequest

REQUEST = ModelRequest("Task: echo", "hello")


class Fixed:
    """Answers with a text, or raises an error; counts how often it was asked."""

    def __init__(self, name: str, outcome: str | BaseException) -> None:
        self.name = name
        self.outcome = outcome
        self.asked = 0

    async def generate(self, request: ModelRequest) -> ModelAnswer:
        self.asked += 1
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return ModelAnswer(self.outcome, provider=self.name, model="m", offline=False)


async def test_first_model_that_answers_wins_and_later_ones_are_not_asked() -> None:
    second = Fixed("b", "never")
    answer = await ModelChain([Fixed("a", "hi"), second]).generate(REQUEST)
    assert (answer.provider, answer.text, second.asked) == ("a", "hi", 0)


@pytest.mark.parametrize("outcome", [ModelError("down", kind="timeout", retryable=True), OSError("reset"), "", " \n"])
async def test_error_or_blank_answer_goes_on_to_the_next_model(outcome: str | Exception) -> None:
    answer = await ModelChain([Fixed("a", outcome), Fixed("b", "hi")]).generate(REQUEST)
    assert answer.provider == "b"


async def test_last_model_error_is_kept_when_all_fail() -> None:
    last = ModelError("slow down", kind="rate_limit", retryable=True, retry_after_s=3.0)
    with pytest.raises(ModelError) as caught:
        await ModelChain([Fixed("a", OSError("reset")), Fixed("b", last)]).generate(REQUEST)
    assert caught.value is last


async def test_other_last_error_is_wrapped_as_unknown_and_retryable() -> None:
    cause = OSError("reset")
    with pytest.raises(ModelError, match="OSError: reset") as caught:
        await ModelChain([Fixed("a", cause)]).generate(REQUEST)
    assert (caught.value.kind, caught.value.retryable, caught.value.__cause__) == ("unknown", True, cause)


async def test_blank_answers_alone_are_a_provider_error() -> None:
    with pytest.raises(ModelError, match="blank answer") as caught:
        await ModelChain([Fixed("a", "")]).generate(REQUEST)
    assert caught.value.kind == "provider_error"


async def test_cancellation_is_not_passed_on_to_the_next_model() -> None:
    second = Fixed("b", "hi")
    with pytest.raises(asyncio.CancelledError):
        await ModelChain([Fixed("a", asyncio.CancelledError()), second]).generate(REQUEST)
    assert second.asked == 0


def test_empty_chain_is_refused() -> None:
    with pytest.raises(ValueError, match="models"):
        ModelChain([])
