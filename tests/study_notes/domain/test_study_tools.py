"""Rules for quiz items and flashcards."""

import pytest

from systems.study_notes.domain.errors import StageError
from systems.study_notes.domain.study_tools import Bounds, check_flashcards, check_quiz

NOTE = "The penstock carries water from the reservoir to the turbine of the mill."


def item(**changes):
    good = {
        "question": "What carries water?",
        "options": ["penstock", "wheel", "sluice", "dam"],
        "correct_index": 0,
        "explanation": None,
    }
    return good | changes


def faults(*items):
    return [dropped.reason for dropped in check_quiz(items, NOTE).dropped]


def test_a_good_item_is_kept_and_camel_case_is_read():
    checked = check_quiz(
        [{"question": "What carries water?", "options": ["penstock", 2, 3, 4], "correctIndex": "0"}], NOTE
    )
    (kept,) = checked.kept
    assert (kept.options, kept.correct_index, kept.explanation) == (("penstock", "2", "3", "4"), 0, None)


@pytest.mark.parametrize(
    "options", [["a", "b", "c"], ["a", "b", "c", "d", "e"], ["a", "b", "c", " A "], ["a", "b", "c", ""], None, "abcd"]
)
def test_options_must_be_four_distinct_texts(options):
    assert faults(item(options=options)) == ["not exactly four distinct options"]


@pytest.mark.parametrize("index", [4, -1, None, "x", True])
def test_the_index_must_be_0_to_3(index):
    assert faults(item(correct_index=index)) == ["the right option's index is not 0 to 3"]


def test_an_item_foreign_to_the_note_is_dropped_and_half_of_its_words_are_enough():
    assert faults(item(question="Which planet orbits fastest?")) == ["foreign to the note"]
    # Of carries, penstock, planets and comets two occur.
    assert faults(item(question="planets comets carries")) == []
    assert faults(item(question="planets comets moons carries")) == ["foreign to the note"]


def test_short_words_do_not_count():
    assert faults(item(question="Is it so?", options=["yes", "no", "may", "not"])) == []


def test_nonsense_items_are_dropped_and_listed():
    checked = check_quiz(["text", None, {}], NOTE)
    assert checked.kept == ()
    assert [dropped.as_json() for dropped in checked.dropped] == [
        {"kind": "quiz", "item": "", "reason": "no question"}
    ] * 3


def test_cards_with_repeated_or_empty_terms_are_dropped():
    checked = check_flashcards(
        [
            {"term": "Penstock", "definition": "A pipe."},
            {"term": " PENSTOCK ", "definition": "Again."},
            {"term": "", "definition": "Nothing."},
            {"term": "Sluice", "definition": " "},
        ]
    )
    assert [card.term_key for card in checked.kept] == ["penstock"]
    assert [(dropped.item, dropped.reason) for dropped in checked.dropped] == [
        ("PENSTOCK", "the term is repeated"),
        ("", "no term"),
        ("Sluice", "no definition"),
    ]


def test_too_few_good_items_may_be_asked_for_again_and_too_many_are_cut():
    checked = check_quiz([item(), item(correct_index=9), item(), item()], NOTE)
    assert len(checked.within(Bounds(3, 10))) == 3
    assert len(checked.within(Bounds(1, 2))) == 2
    with pytest.raises(StageError, match=r"only 3 usable items where 4 are needed \(the right option"):
        checked.within(Bounds(4, 10))
