"""Cutting long texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.study_notes.domain.chunking import chunks, spread

texts = st.text(alphabet=st.sampled_from("ab .!\n\t。é"), max_size=400)


@given(texts, st.integers(1, 60))
def test_no_piece_is_too_long_and_nothing_but_white_space_is_lost(text, limit):
    pieces = chunks(text, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@given(st.lists(st.text(alphabet="abc .", min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=30))
def test_paragraphs_that_fit_are_never_cut(paragraphs):
    text = "\n\n".join(paragraph.strip() for paragraph in paragraphs)
    pieces = chunks(text, 35)
    assert "\n\n".join(pieces) == text


def test_pieces_are_as_long_as_they_can_be():
    assert chunks("aa\n\nbb\n\ncc", 6) == ["aa\n\nbb", "cc"]


def test_an_overlong_paragraph_is_cut_at_a_sentence_then_a_space_then_anywhere():
    assert chunks("One is. Two is. Three", 16) == ["One is. Two is.", "Three"]
    assert chunks("word word word", 10) == ["word word", "word"]
    assert chunks("abcdefgh", 3) == ["abc", "def", "gh"]
    assert chunks("雨が降る。雪が降る。", 7) == ["雨が降る。", "雪が降る。"]


def test_a_heading_stays_with_the_overlong_paragraph_after_it():
    assert chunks("# T\n\n" + "aaa bbb. " * 4, 20)[0] == "# T\n\naaa bbb."


def test_blank_text_has_no_piece_and_a_limit_is_needed():
    assert chunks(" \n ", 5) == []
    with pytest.raises(ValueError, match="max_chars"):
        chunks("a", 0)


def test_spread_takes_first_last_and_some_between():
    pieces = [str(n) for n in range(10)]
    assert spread(pieces, 4) == ["0", "3", "6", "9"]
    assert spread(pieces, 1) == ["0"]
    assert spread(pieces[:2], 4) == ["0", "1"]
