"""Which picture fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.study_notes.domain.similarity import MIN_SCORE, ImageCandidate, dice, in_order, score


def candidate(title, source_name=None, *, offline=False):
    return ImageCandidate("https://e.org/a.png", title, "https://e.org", "serper", source_name, offline)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("night", "nacht", 0.25),
        ("Night", "n i g h t", 1.0),
        ("aaa", "aa", 2 * 1 / 3),
        ("a", "a", 0.0),
        ("", "", 0.0),
        ("STRASSE", "straße", 1.0),
    ],
)
def test_dice_coefficient_of_bigrams(first, second, expected):
    assert dice(first, second) == pytest.approx(expected)


@given(st.text(), st.text())
def test_dice_is_symmetric_and_bounded(first, second):
    assert dice(first, second) == dice(second, first)
    assert 0 <= dice(first, second) <= 1


def test_a_named_source_adds_and_a_missing_one_takes_away():
    assert score("night", candidate("nacht", "Museum")) == pytest.approx(0.30)
    assert score("night", candidate("nacht", " ")) == pytest.approx(0.23)


def test_candidates_come_in_falling_score_and_equals_in_their_order():
    poor, good, same = candidate("nacht"), candidate("night"), candidate("night", "")
    assert in_order("night", [poor, good, same]) == [good, same, poor]


def test_the_floor_itself_is_enough_and_below_it_none_is_used():
    # Of 20 bigrams 2 are shared (one in each text): 0.1, and 0.05 for the source.
    on_the_floor = candidate("abZZYYXXWWV", "S")
    assert score("abcdefghijk", on_the_floor) == MIN_SCORE
    assert in_order("abcdefghijk", [on_the_floor]) == [on_the_floor]
    assert in_order("abcdefghijk", [candidate("abZZYYXXWWV")]) == []


def test_an_offline_picture_needs_no_score():
    drawn = candidate("", offline=True)
    assert in_order("anything", [drawn]) == [drawn]
