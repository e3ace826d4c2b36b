import threading

import pytest

import penstock.ai
import penstock.ai.offline
from penstock.ai import ModelError, ModelRequest, OfflineModel


def model() -> OfflineModel:
    return OfflineModel({"echo": lambda request: request.prompt, "shout": lambda request: request.prompt.upper()})


async def test_task_named_in_the_first_line_is_done_and_labelled_offline() -> None:
    answer = await model().generate(ModelRequest("Task: shout\nBe loud.", "hello"))
    assert (answer.text, answer.provider, answer.model, answer.offline) == (
        "HELLO",
        "offline",
        "offline-extractive",
        True,
    )
    assert (answer.input_tokens, answer.output_tokens) == (5 + 2, 2)


@pytest.mark.parametrize("instructions", ["Task: sing", "echo", "", "Please.\nTask: echo"])
async def test_unknown_or_missing_task_is_a_validation_error_naming_the_known_ones(instructions: str) -> None:
    with pytest.raises(ModelError, match="echo, shout") as caught:
        await model().generate(ModelRequest(instructions, "hello"))
    assert (caught.value.kind, caught.value.retryable) == ("validation", False)


async def test_task_runs_outside_the_event_loop_thread() -> None:
    threads: list[threading.Thread] = []

    def note(request: ModelRequest) -> str:
        threads.append(threading.current_thread())
        return request.prompt

    await OfflineModel({"note": note}).generate(ModelRequest("Task: note", "x"))
    assert threads != [threading.current_thread()]


def test_public_names_are_sorted_and_exist() -> None:
    names = penstock.ai.__all__
    assert names == sorted(names)
    assert all(hasattr(penstock.ai, name) for name in names)
    assert all(hasattr(penstock.ai.offline, name) for name in penstock.ai.offline.__all__)
