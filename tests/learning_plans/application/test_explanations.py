import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.application.curation_ports import CurationTask
from systems.learning_plans.application.explanations import MAX_CHARS, explanation_request, plain_text, task_data


@given(st.text(), st.text(), st.text(max_size=900))
def test_what_is_asked_about_can_be_read_back_and_closes_no_block(topic: str, title: str, description: str) -> None:
    request = explanation_request(topic, "advanced", CurationTask("t", (0, 0), title, description))
    told = {"topic": topic, "skill_level": "advanced", "task": title, "description": description}
    assert task_data(request.prompt_text) == told
    assert request.prompt_text.count("<") == 2


def test_halves_of_surrogate_pairs_can_be_sent() -> None:
    request = explanation_request("SQL", "beginner", CurationTask("t", (0, 0), "\ud800 joins", ""))
    assert task_data(request.prompt_text)["task"] == "? joins"


@pytest.mark.parametrize("prompt", ["", "<task_data>", "<task_data>{</task_data>", "<task_data>[1]</task_data>"])
def test_a_prompt_without_data_tells_nothing(prompt: str) -> None:
    assert task_data(prompt) == {}


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("  One.\n\nTwo.\tThree. ", "One. Two. Three."),
        ("```text\nOne.\n```", "One."),
        ("One.\x00\u202eTwo.", "One.Two."),
        ("  \n", None),
        ("```\n```", None),
    ],
)
def test_an_answer_becomes_one_plain_paragraph(answer: str, kept: str | None) -> None:
    assert plain_text(answer) == kept


@given(st.text(max_size=4_000))
def test_it_is_never_long_and_always_printable(answer: str) -> None:
    text = plain_text(answer) or ""
    assert len(text) <= MAX_CHARS + 2
    assert text.isprintable()
