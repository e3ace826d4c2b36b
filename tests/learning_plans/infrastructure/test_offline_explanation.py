import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.application.curation_ports import CurationTask
from systems.learning_plans.application.explanations import MAX_CHARS, explanation_request, plain_text
from systems.learning_plans.infrastructure.offline_explanation import micro_explanation


def explained(title: str, description: str, *, topic: str = "Photosynthesis", level: str = "beginner") -> str:
    return micro_explanation(explanation_request(topic, level, CurationTask("t", (0, 0), title, description)))


def test_it_says_what_it_was_made_from() -> None:
    assert explained("Light reactions", "Follow the light. Then draw it.") == (
        '"Light reactions" is one step of your plan for Photosynthesis: Follow the light. This note was put together '
        "without a language model, from the plan's own words. Exercise: explain it to somebody who has never heard of "
        "it, and look up each word you could not explain."
    )


@pytest.mark.parametrize("description", ["", "  ", "Draw it"])
def test_a_description_may_be_missing_or_end_without_a_dot(description: str) -> None:
    about = ": Draw it." if description.strip() else "."
    assert explained("A", description).startswith(f'"A" is one step of your plan for Photosynthesis{about} This note')


def test_each_level_has_its_exercise() -> None:
    assert len({explained("A", "B.", level=level) for level in ("beginner", "intermediate", "advanced")}) == 3


@given(st.text(), st.text(), st.text())
def test_it_is_the_same_each_time_and_short(title: str, description: str, topic: str) -> None:
    text = explained(title, description, topic=topic)
    assert text == explained(title, description, topic=topic)
    assert plain_text(text)
    assert len(text) <= MAX_CHARS
