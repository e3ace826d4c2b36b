"""A chain of providers: who is asked, how often, and what is kept of it."""

import asyncio
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from penstock.ai import (
    AdaptiveTimeout,
    CallPolicy,
    ModelAnswer,
    ModelChain,
    ModelError,
    ModelErrorKind,
    ModelFailure,
    ModelRequest,
    Usage,
    answer_or_raise,
)
from penstock.ai.errors import KINDS
from penstock.testing import MovableClock
from tests.ai.fakes import DeafProvider, NotingGate, Outcome, failing, provider

REQUEST = ModelRequest("Task: echo", "hello")


class City(BaseModel):
    name: str
    people: int = 0


CITY = ModelRequest("Name a city.", "In France?", output=City)
NO_DELAY = (0.0, 0.0)


async def test_the_first_that_answers_wins_and_later_ones_are_not_asked() -> None:
    first, second = provider("hi", usage=Usage(3, 1, 0)), provider("never", name="b")
    answer = answer_or_raise(await ModelChain([first, second]).ask(REQUEST))
    assert (answer.text, answer.value, answer.provider, answer.model) == ("hi", "hi", "a", "m")
    assert (answer.usage, answer.finish_reason, answer.offline) == (Usage(3, 1, 0), "stop", False)
    assert [(one.provider, one.model, one.kind, one.usage) for one in answer.tries] == [
        ("a", "m", None, Usage(3, 1, 0))
    ]
    assert second.requests == []


@pytest.mark.parametrize("outcome", [failing("timeout"), failing("auth", retryable=False), OSError("reset"), "", " \n"])
async def test_a_failure_or_a_blank_answer_goes_on_to_the_next_provider(outcome: Outcome) -> None:
    answer = answer_or_raise(await ModelChain([provider(outcome), provider("hi", name="b")]).ask(REQUEST))
    assert [one.provider for one in answer.tries] == ["a", "b"]
    assert answer.tries[0].kind is not None
    assert answer.tries[1].kind is None


async def test_when_all_fail_the_last_failure_is_given_with_all_tries() -> None:
    chain = ModelChain([provider(OSError("reset")), provider(failing("rate_limit", after=3), name="b")])
    failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.retry_after_s) == ("rate_limit", True, 3)
    assert [(one.provider, one.kind) for one in failure.tries] == [("a", "unknown"), ("b", "rate_limit")]


async def test_what_a_provider_raises_becomes_an_unknown_failure_that_names_it(caplog: Any) -> None:
    failure = await ModelChain([provider(OSError("reset"))]).ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.message) == ("unknown", True, "a (m): OSError: reset")
    assert "raised instead of answering" in caplog.text


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_only_the_kinds_of_the_policy_fall_back(kind: ModelErrorKind) -> None:
    second = provider("hi", name="b")
    chain = ModelChain([provider(failing(kind)), second])
    assert isinstance(await chain.ask(REQUEST, policy=CallPolicy(fall_back_on=KINDS - {kind})), ModelFailure)
    assert second.requests == []
    assert isinstance(await chain.ask(REQUEST, policy=CallPolicy(fall_back_on={kind})), ModelAnswer)


async def test_no_more_calls_are_made_than_the_cap_and_capped_tells_of_the_last_failure() -> None:
    providers = [provider(failing("rate_limit", after=9), name=name) for name in "abcd"]
    failure = await ModelChain(providers).ask(REQUEST, policy=CallPolicy(tries=3))
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.retry_after_s) == ("capped", True, 9)
    assert "no more than 3 calls" in failure.message
    assert "it is rate_limit" in failure.message
    assert [len(one.requests) for one in providers] == [1, 1, 1, 0]
    assert len(failure.tries) == 3


async def test_a_chain_that_is_through_before_the_cap_is_not_capped() -> None:
    failure = await ModelChain([provider(failing("timeout"))]).ask(REQUEST, policy=CallPolicy(tries=1))
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "timeout"


async def test_a_busy_provider_is_called_again_before_the_next_one() -> None:
    first, second = provider(failing("provider_error"), failing("rate_limit"), "hi"), provider("never", name="b")
    policy = CallPolicy(tries=5, retries=2, retry_delay_s=NO_DELAY)
    answer = answer_or_raise(await ModelChain([first, second]).ask(REQUEST, policy=policy))
    assert [(one.provider, one.kind) for one in answer.tries] == [
        ("a", "provider_error"), ("a", "rate_limit"), ("a", None),
    ]  # fmt: skip
    assert second.requests == []


@pytest.mark.parametrize(
    "outcome",
    [
        failing("timeout"),
        failing("unknown"),
        failing("auth", retryable=False),
        failing("provider_error", retryable=False),
        failing("rate_limit", after=60),
        "",
    ],
)
async def test_what_a_second_call_would_not_mend_is_not_retried(outcome: Outcome) -> None:
    first = provider(outcome)
    policy = CallPolicy(tries=5, retries=2, retry_delay_s=NO_DELAY)
    answer = answer_or_raise(await ModelChain([first, provider("hi", name="b")]).ask(REQUEST, policy=policy))
    assert answer.provider == "b"
    assert len(first.requests) == 1


async def test_retries_count_against_the_cap() -> None:
    first = provider(failing("provider_error"))
    policy = CallPolicy(tries=2, retries=5, retry_delay_s=NO_DELAY)
    failure = await ModelChain([first, provider("never", name="b")]).ask(REQUEST, policy=policy)
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "capped"
    assert len(first.requests) == 2


async def test_a_nearly_right_answer_is_mended_without_a_second_call() -> None:
    first = provider('Here:\n```json\n{"name": "Lyon", "people": null,}\n```')
    answer = answer_or_raise(await ModelChain([first]).ask(CITY))
    assert answer.value == City(name="Lyon")
    assert len(first.requests) == 1


async def test_without_repair_the_same_answer_is_refused() -> None:
    policy = CallPolicy(repair=False, reask=False)
    for text, kind, retryable in [
        ('```json\n{"name": "Lyon"}\n```', "provider_error", True),
        ('{"name": "Lyon", "people": null}', "validation", False),
    ]:
        failure = await ModelChain([provider(text)]).ask(CITY, policy=policy)
        assert isinstance(failure, ModelFailure)
        assert (failure.kind, failure.retryable) == (kind, retryable)


async def test_one_reask_shows_the_answer_and_what_is_wrong_with_it() -> None:
    first = provider('{"people": 5}', '{"name": "Lyon"}')
    answer = answer_or_raise(await ModelChain([first]).ask(CITY))
    assert answer.value == City(name="Lyon")
    assert [one.kind for one in answer.tries] == ["validation", None]
    again = first.requests[1]
    assert again.prompt_text.startswith("In France?")
    assert '{"people": 5}' in again.prompt_text
    assert "name: Field required" in again.prompt_text
    assert (again.instructions, again.output) == (CITY.instructions, City)


async def test_there_is_one_reask_for_a_request_and_then_the_next_provider() -> None:
    first, second = provider("no json"), provider("none here", name="b")
    failure = await ModelChain([first, second]).ask(CITY, policy=CallPolicy(tries=9))
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == ("provider_error", True)
    assert (len(first.requests), len(second.requests)) == (2, 1)


@pytest.mark.parametrize("policy", [CallPolicy(reask=False), CallPolicy(tries=1)])
async def test_nothing_is_asked_again_without_leave_or_beyond_the_cap(policy: CallPolicy) -> None:
    first = provider('{"people": 5}')
    failure = await ModelChain([first]).ask(CITY, policy=policy)
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "validation"
    assert len(first.requests) == 1


async def test_an_answer_that_was_cut_off_is_not_asked_for_again() -> None:
    first = provider(ModelAnswer('{"name": "Ly', '{"name": "Ly', "a", "m", finish_reason="length"))
    failure = await ModelChain([first]).ask(CITY)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == ("provider_error", True)
    assert "raise max_output_tokens" in failure.message
    assert len(first.requests) == 1


async def test_a_text_that_was_cut_off_is_an_answer_that_says_so() -> None:
    first = provider(ModelAnswer("Once upon", "Once upon", "a", "m", finish_reason="length"))
    assert answer_or_raise(await ModelChain([first]).ask(REQUEST)).finish_reason == "length"


@pytest.mark.parametrize(
    ("output", "text", "value"),
    [
        (list[int], "[1, 2]", [1, 2]),
        (list[int], '{"value": [1, 2]}', [1, 2]),
        (int, "7", 7),
        (City | None, '{"value": null}', None),
        (TypeAdapter(City), '{"name": "Lyon"}', City(name="Lyon")),
        (dict[str, int], '{"value": 1}', {"value": 1}),
    ],
)
async def test_any_type_that_pydantic_reads_can_be_asked_for(output: Any, text: str, value: object) -> None:
    answer = answer_or_raise(await ModelChain([provider(text)]).ask(ModelRequest("i", "p", output=output)))
    assert answer.value == value


async def test_json_text_is_answered_as_the_json_alone() -> None:
    answer = answer_or_raise(await ModelChain([provider('Sure: {"a": [1,]}')]).ask(ModelRequest("i", "p", json=True)))
    assert answer.text == answer.value == '{"a": [1]}'


async def test_pieces_are_told_in_order_and_each_call_before_its_own() -> None:
    told: list[str] = []
    chain = ModelChain([provider("no |json"), provider('{"name": |"Lyon"}', name="b")])
    await chain.ask(
        CITY,
        policy=CallPolicy(reask=False),
        on_text=told.append,
        on_call=lambda info: told.append(f"<{info.provider} {info.number} {info.purpose}>"),
    )
    assert told == ["<a 1 ask>", "no ", "json", "<b 2 fallback>", '{"name": ', '"Lyon"}']


async def test_what_a_listener_raises_reaches_the_caller_and_nobody_else_is_asked() -> None:
    def hear(piece: str) -> None:
        raise KeyError(piece)

    second = provider("hi", name="b")
    with pytest.raises(KeyError, match="one"):
        await ModelChain([provider("one|two"), second]).ask(REQUEST, on_text=hear)
    assert second.requests == []


async def test_cancellation_is_no_failure() -> None:
    second = provider("hi", name="b")
    with pytest.raises(asyncio.CancelledError):
        await ModelChain([provider(asyncio.CancelledError()), second]).ask(REQUEST)
    assert second.requests == []


async def test_cancelling_ends_the_wait_for_a_deaf_provider_at_once() -> None:
    deaf = DeafProvider(["too late"])
    asking = asyncio.create_task(ModelChain([deaf]).ask(REQUEST))
    await deaf.called.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(deaf.was_cancelled.wait(), 10)
    deaf.let.set()


async def test_a_deaf_provider_is_cut_off_at_the_deadline_and_what_it_says_later_is_not_heard() -> None:
    clock = MovableClock()
    deadline = AdaptiveTimeout(30_000, 15_000, 25_000, clock=clock)
    deaf, told = DeafProvider(["too late"]), list[str]()
    asking = asyncio.create_task(
        ModelChain([deaf, provider("never", name="b")]).ask(REQUEST, deadline=deadline, on_text=told.append)
    )
    clock.move(30)
    failure = await asyncio.wait_for(asking, 10)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.usage) == ("timeout", True, Usage(7))
    assert [(one.provider, one.kind) for one in failure.tries] == [("a", "timeout")]
    deaf.let.set()
    await asyncio.wait_for(deaf.was_cancelled.wait(), 10)
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == []


async def test_one_deadline_holds_for_the_whole_chain() -> None:
    clock = MovableClock()

    async def slow(request: ModelRequest[Any]) -> ModelFailure:
        clock.move(20)
        return failing("provider_error")

    providers = [provider(slow, name=name) for name in "abc"]
    failure = await ModelChain(providers).ask(REQUEST, deadline=AdaptiveTimeout(30_000, clock=clock))
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "timeout"
    assert [len(one.requests) for one in providers] == [1, 1, 0]


async def test_an_answer_after_the_deadline_is_not_taken() -> None:
    clock = MovableClock()

    async def slow(request: ModelRequest[Any]) -> str:
        clock.move(31)
        return "hi"

    failure = await ModelChain([provider(slow)]).ask(REQUEST, deadline=AdaptiveTimeout(30_000, clock=clock))
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "timeout"


async def test_the_pause_before_a_retry_ends_with_the_deadline() -> None:
    clock = MovableClock()
    chain = ModelChain([provider(failing("provider_error"))], gate=NotingGate(lambda: clock.move(60)))
    policy = CallPolicy(retries=1, retry_delay_s=(3_600, 3_600))
    asking = chain.ask(REQUEST, policy=policy, deadline=AdaptiveTimeout(30_000, clock=clock))
    failure = await asyncio.wait_for(asking, 10)
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "timeout"
    assert [one.kind for one in failure.tries] == ["provider_error"]


async def test_each_call_has_its_own_time_and_the_next_provider_is_asked_after_it() -> None:
    deaf = DeafProvider(["too late"])
    request = ModelRequest("i", "p", timeout_s=0.01)
    answer = answer_or_raise(await ModelChain([deaf, provider("hi", name="b")]).ask(request))
    assert [(one.provider, one.kind) for one in answer.tries] == [("a", "timeout"), ("b", None)]
    deaf.let.set()


async def test_a_failure_can_be_raised_and_survives_pickling() -> None:
    failure = await ModelChain([provider(failing("rate_limit", after=3))]).ask(REQUEST)
    with pytest.raises(ModelError, match="it is rate_limit") as caught:
        answer_or_raise(failure)
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own
    assert (error.kind, error.retryable, error.retry_after_s, error.failure) == ("rate_limit", True, 3, failure)


async def test_an_answer_can_be_the_result_of_a_step() -> None:
    answer = answer_or_raise(await ModelChain([provider('{"name": "Lyon"}')]).ask(CITY))
    adapter = TypeAdapter(ModelAnswer[City])
    assert adapter.validate_json(adapter.dump_json(answer)) == answer


async def test_closing_a_chain_closes_its_providers() -> None:
    first = provider("hi")
    await ModelChain([first]).close()
    assert first.closed


def test_wrong_arguments_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="providers"):
        ModelChain([])
    for name, wrong in [("tries", 0), ("retries", -1), ("retry_delay_s", (2, 1)), ("fall_back_on", {"bad luck"})]:
        with pytest.raises(ValueError, match=name):
            CallPolicy(**{name: wrong})  # type: ignore[arg-type]
    for name, value in [("max_output_tokens", 0), ("timeout_s", 0)]:
        with pytest.raises(ValueError, match=name):
            ModelRequest("i", "p", **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="json"):
        ModelRequest("i", "p", output=City, json=True)
