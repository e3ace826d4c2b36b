"""Finding JSON in what a model says."""

import pytest

from systems.study_notes.domain.errors import StageError
from systems.study_notes.domain.json_answer import fields_of, json_in, number_of, snake, text_of, texts_of


@pytest.mark.parametrize(
    "answer",
    [
        '{"tags": ["a"]}',
        '```json\n{"tags": ["a"]}\n```',
        'Here [as asked] is {your} answer:\n\n```\n{"tags": ["a"]}\n``` Anything else? {}',
        '\ufeff \n{"tags": ["a"]} trailing',
    ],
)
def test_json_is_found_through_fences_and_words(answer):
    assert json_in(answer) == {"tags": ["a"]}


def test_fences_inside_a_string_stay():
    assert json_in('```json\n{"content": "```py\\nx = {}\\n```"}\n```') == {"content": "```py\nx = {}\n```"}


def test_raw_line_ends_in_strings_are_read():
    assert json_in('["one\ntwo"]') == ["one\ntwo"]


@pytest.mark.parametrize("answer", ["", "no json at all", "{}", "[]", "{broken", "null", '"text"'])
def test_no_json_may_be_asked_for_again(answer):
    with pytest.raises(StageError, match="JSON"):
        json_in(answer)


def test_an_answer_cut_short_does_not_pass_for_a_whole_one():
    whole = '{"title": "Water", "structure": [{"content_type": "heading", "sub_structure": ["' + "a" * 80 + '", "b"]},'
    with pytest.raises(StageError, match="broken"):
        json_in(whole)


@pytest.mark.parametrize("answer", ["[" * 5_000 + "]" * 5_000, "[" + "1" * 5_000 + "]"])
def test_a_deep_or_huge_answer_is_refused_not_a_crash(answer):
    with pytest.raises(StageError, match="too deeply or holds a number too long"):
        json_in(answer)


@pytest.mark.parametrize("name", ["contentType", "content_type", "Content-Type", "CONTENT_TYPE", "content type"])
def test_names_are_read_in_any_case(name):
    assert snake(name) == "content_type"


def test_nulls_count_as_absent():
    assert fields_of({"a": None, "correctIndex": 0}) == {"correct_index": 0}
    assert fields_of("no object") == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a\r\nb\x00 ", "a\nb"),
        (" \n", None),
        (None, None),
        (True, None),
        (12, "12"),
        (["a", None, " ", "b"], "a\nb"),
        ({"text": "t"}, "t"),
        ({"content": "c"}, "c"),
        ({"other": "x"}, None),
        ("lone \ud800 half", "lone  half"),
    ],
)
def test_texts_are_read_leniently(value, text):
    assert text_of(value) == text


def test_a_single_text_is_a_list_of_one():
    assert texts_of("a") == ("a",)
    assert texts_of(None) == ()


@pytest.mark.parametrize(
    ("value", "number"),
    [(2, 2), ("2", 2), (2.0, 2), (2.5, None), (True, None), ("two", None), (None, None), ("²", None)],
)
def test_whole_numbers_are_read_leniently(value, number):
    assert number_of(value) == number
