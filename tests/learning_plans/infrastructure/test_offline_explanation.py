import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.application.curation_ports import CurationTask
from systems.learning_plans.application.explanations import MAX_CHARS, explanation_request, plain_text
from systems.learning_plans.infrastructure.offline_explanation import micro_explanation


def explained(title: str, description: str, *, topic: str = "Photosynthesis", level: str = "beginner") -> str:
    return micro_explanation(explanation_request(topic, level, CurationTask("t", (0, 0), title, description)))


def test_it_says_what_it_was_made_from() -> None:
    assert explained("Light reactions", "Follow the light.").startswith(
        'Work on "Light reactions" until you can say in your own words what it is about. This hint was put together '
        "without a language model, for your plan on Photosynthesis. Exercise: "
    )


def test_not_every_task_has_the_same_exercise() -> None:
    exercises = {explained(f"Task {n}", "").rpartition("Exercise: ")[2] for n in range(30)}
    assert len(exercises) == 4


@pytest.mark.parametrize("level", ["", "expert"])
def test_an_unknown_level_is_that_of_a_beginner(level: str) -> None:
    assert explained("A", "B.", level=level) == explained("A", "B.")


def test_each_level_has_its_exercise() -> None:
    assert len({explained("A", "B.", level=level) for level in ("beginner", "intermediate", "advanced")}) == 3


@given(st.text(), st.text(), st.text())
def test_it_is_the_same_each_time_and_short(title: str, description: str, topic: str) -> None:
    text = explained(title, description, topic=topic)
    assert text == explained(title, description, topic=topic)
    assert plain_text(text)
    assert len(text) <= MAX_CHARS
