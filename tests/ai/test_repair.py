"""Answers that are nearly right, and those that only look so."""

import json
from datetime import date

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from penstock.ai.repair import NoJson, json_in, without_nulls


class Part(BaseModel):
    title: str
    note: str = ""
    minutes: int = Field(default=30, alias="estimatedMinutes")


class Picture(BaseModel):
    url: str
    alt: str = "a picture"


class Exact(BaseModel, strict=True):
    due: date
    note: str = ""


class Plan(BaseModel):
    name: str
    summary: str | None = None
    due: date | None = None
    tags: tuple[str, ...] = ()
    parts: list[Part] = []
    lead: Part | Picture | None = None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Sure! Here it is:\n```\n{"a": [1, 2]}\n```\nAnything else?', {"a": [1, 2]}),
        ('As [requested] in (a) the answer: {"a": {"b": 2}} - done.', {"a": {"b": 2}}),
        ('{"a": [1, 2,], "b": {"c": 3, }, }', {"a": [1, 2], "b": {"c": 3}}),
        ('{"a": "one, ] two, }", "b": ["x", ],}', {"a": "one, ] two, }", "b": ["x"]}),
        ('{"a": "quoted \\", ] still", "b": [1,],}', {"a": 'quoted ", ] still', "b": [1]}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ("[1, 2]", [1, 2]),
        ("42", 42),
        ('"text"', "text"),
        ("{}", {}),
        ('{"x": 1} and the better {"x": 1, "y": 2}', {"x": 1, "y": 2}),
        ('{"emoji": "\\ud83d\\ude00 ü"}', {"emoji": "😀 ü"}),
    ],
)
def test_the_json_in_a_text_is_found(text: str, value: object) -> None:
    assert json.loads(json_in(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot answer that.",
        "nothing but {} and []",
        '{"modules": [{"title": "One", "tasks": ["a", "b"]}, {"title": "Tw',
        '{"modules": [{"title": "One", "tasks": ["a", "b"]}, {"title": "Two"}',
        'Here: {"modules": [{"title": "One", "tasks": [{"title": "a"}], oops',
        "[" * 100_000,
    ],
)
def test_what_is_broken_or_cut_short_is_never_answered_in_part(text: str) -> None:
    with pytest.raises(NoJson):
        json_in(text)


def test_nulls_count_as_absent_where_a_field_may_be_absent() -> None:
    text = json.dumps(
        {
            "name": "x",
            "summary": None,
            "tags": None,
            "parts": [{"title": "a", "note": None, "estimatedMinutes": None}, {"title": "b"}],
            "lead": {"url": "u", "alt": None},
        }
    )
    plan = without_nulls(text, TypeAdapter(Plan))
    assert (plan.summary, plan.tags, plan.parts[0].minutes, plan.parts[0].note) == (None, (), 30, "")
    assert plan.lead == Picture(url="u")


def test_values_are_still_read_as_json_after_nulls_were_dropped() -> None:
    plan = without_nulls('{"name": "x", "due": "2026-11-22", "tags": ["a"], "parts": null}', TypeAdapter(Plan))
    assert (plan.due, plan.tags, plan.parts) == (date(2026, 11, 22), ("a",), [])
    # In JSON a date is a text, also for a model that is strict.
    assert without_nulls('{"due": "2026-11-22", "note": null}', TypeAdapter(Exact)) == Exact(due=date(2026, 11, 22))


def test_a_null_where_a_value_is_needed_stays_wrong_and_the_first_error_is_told() -> None:
    with pytest.raises(ValidationError) as caught:
        without_nulls('{"name": null, "parts": [{"title": "a", "note": null}]}', TypeAdapter(Plan))
    assert {error["loc"] for error in caught.value.errors()} == {("name",), ("parts", 0, "note")}


def test_other_mistakes_are_not_mended() -> None:
    with pytest.raises(ValidationError):
        without_nulls('{"name": "x", "parts": [{"title": 7}]}', TypeAdapter(Plan))


def test_a_list_of_objects_is_mended_inside() -> None:
    assert without_nulls('[{"title": "a", "note": null}]', TypeAdapter(list[Part])) == [Part(title="a")]
