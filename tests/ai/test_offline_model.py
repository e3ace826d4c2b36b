import threading

import pytest

import penstock.ai
import penstock.ai.offline
from penstock.ai import ModelAnswer, ModelChain, ModelFailure, ModelRequest, OfflineModel, Usage, answer_or_raise


def model() -> OfflineModel:
    return OfflineModel({"echo": lambda asked: asked.prompt_text, "shout": lambda asked: asked.prompt_text.upper()})


async def test_task_named_in_the_first_line_is_done_and_labelled_offline() -> None:
    answer = await model().call(ModelRequest("Task: shout\nBe loud.", "hello"))
    assert isinstance(answer, ModelAnswer)
    assert (answer.text, answer.provider, answer.model, answer.offline) == (
        "HELLO",
        "offline",
        "offline-extractive",
        True,
    )
    assert answer.usage == Usage(5 + 2, 2, 0)


async def test_in_a_chain_its_answers_stay_labelled_and_stream_in_one_piece() -> None:
    told: list[str] = []
    answer = answer_or_raise(await ModelChain([model()]).ask(ModelRequest("Task: echo", "hello"), on_text=told.append))
    assert (answer.offline, told) == (True, ["hello"])


@pytest.mark.parametrize("instructions", ["Task: sing", "echo", "", "Please.\nTask: echo"])
async def test_unknown_or_missing_task_is_a_validation_failure_naming_the_known_ones(instructions: str) -> None:
    failure = await model().call(ModelRequest(instructions, "hello"))
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == ("validation", False)
    assert "echo, shout" in failure.message


async def test_task_runs_outside_the_event_loop_thread() -> None:
    threads: list[threading.Thread] = []

    def note(request: ModelRequest) -> str:
        threads.append(threading.current_thread())
        return request.prompt_text

    await OfflineModel({"note": note}).call(ModelRequest("Task: note", "x"))
    assert threads != [threading.current_thread()]


def test_public_names_are_sorted_and_exist() -> None:
    names = penstock.ai.__all__
    assert names == sorted(names)
    assert all(hasattr(penstock.ai, name) for name in names)
    assert all(hasattr(penstock.ai.offline, name) for name in penstock.ai.offline.__all__)
