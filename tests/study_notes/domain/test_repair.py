"""Lessons out of imperfect answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.study_notes.domain.errors import StageError
from systems.study_notes.domain.placeholders import collect, placeholder_id
from systems.study_notes.domain.repair import MAX_DEPTH, lesson_from
from systems.study_notes.domain.structure import ContentType, LessonStructure, merge, title_of


def one_block(**members):
    (block,) = lesson_from({"structure": [members]}).structure
    return block


def test_camel_case_is_read_and_snake_case_stored():
    lesson = lesson_from(
        {
            "title": "Water",
            "structure": [
                {
                    "contentType": "heading",
                    "content": "Rain",
                    "sectionSummary": "It falls.",
                    "keyPoints": ["wet"],
                    "subStructure": [{"contentType": "keyTakeawayBox", "content": "Carry a coat."}],
                }
            ],
            "visualOpportunities": [{"placeholderId": "a", "searchQuery": "rain photo", "description": "Rain"}],
        }
    )
    stored = lesson.as_json()
    assert stored["structure"] == [
        {
            "content_type": "heading",
            "content": "Rain",
            "level": 1,
            "section_summary": "It falls.",
            "key_points": ["wet"],
            "sub_structure": [{"content_type": "key_takeaway_box", "content": "Carry a coat."}],
        }
    ]
    assert LessonStructure.model_validate(stored) == lesson
    assert lesson.visual_opportunities[0].search_query == "rain photo"


def test_nulls_and_unknown_fields_are_dropped():
    block = one_block(content_type="paragraph", content="Text", term=None, key_points=None, mood="merry")
    assert block.model_dump(exclude_defaults=True) == {"content_type": ContentType.PARAGRAPH, "content": "Text"}


def test_an_unknown_kind_becomes_a_paragraph_or_nothing():
    assert one_block(content_type="poem", content="Roses").content_type is ContentType.PARAGRAPH
    assert one_block(content="No kind").content_type is ContentType.PARAGRAPH
    lesson = lesson_from({"structure": [{"content_type": "poem"}, {"content_type": "paragraph", "content": "x"}]})
    assert len(lesson.structure) == 1


def test_blocks_below_an_empty_one_are_not_lost():
    block = one_block(content_type="wrapper", sub_structure=[{"content_type": "paragraph", "content": "inner"}])
    assert block.content == "inner"


@pytest.mark.parametrize(("level", "repaired"), [(0, 1), (9, 6), (-3, 1), ("2", 2), (None, 1), ("deep", 1), (3, 3)])
def test_levels_are_clamped_and_missing_ones_follow_the_depth(level, repaired):
    assert one_block(content_type="heading", content="H", level=level).level == repaired


def test_a_heading_below_a_heading_without_level_is_one_deeper():
    block = one_block(content_type="heading", content="A", sub_structure=[{"content_type": "heading", "content": "B"}])
    assert block.sub_structure[0].level == 2


def test_a_heading_may_call_its_text_a_title():
    assert one_block(content_type="heading", title="Rain").content == "Rain"


def test_a_list_may_come_as_lines():
    block = one_block(content_type="list", content="one\n\n two ")
    assert (block.items, block.content) == (("one", "two"), None)


def test_a_bare_list_of_blocks_and_bare_texts_are_a_lesson():
    lesson = lesson_from(["Just text", {"content_type": "note_box", "content": "N"}])
    assert [block.content for block in lesson.structure] == ["Just text", "N"]


@pytest.mark.parametrize(
    "answer", [{}, {"structure": []}, {"structure": [{}]}, [], None, 7, {"structure": [{"content_type": "heading"}]}]
)
def test_an_empty_lesson_may_be_asked_for_again(answer):
    with pytest.raises(StageError, match="no lesson"):
        lesson_from(answer)


def test_bottomless_nesting_is_refused():
    block: dict = {"content_type": "paragraph", "content": "x"}
    for _ in range(MAX_DEPTH):
        block = {"content_type": "paragraph", "content": "x", "sub_structure": [block]}
    with pytest.raises(StageError, match="deeper"):
        lesson_from([block])


NAMES = [
    *("content_type", "contentType", "content", "items", "sub_structure", "structure", "level", "placeholder_id"),
    *("key_points", "title", "visual_opportunities", "description"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES) | st.text(max_size=5),
            inner | st.sampled_from([*ContentType, "other"]),
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(json_values)
def test_whatever_a_model_answers_is_a_lesson_that_can_be_stored_or_a_stage_error(answer):
    try:
        lesson = lesson_from(answer)
    except StageError:
        return
    assert LessonStructure.model_validate(lesson.as_json()) == lesson
    assert all(placeholder.description for placeholder in collect(lesson))


def placeholder(**members):
    return {"content_type": "visual_placeholder", **members}


def descriptions(lesson):
    return [wanted.description for wanted in collect(lesson)]


def test_placeholders_of_different_answers_are_told_apart_though_the_model_reused_its_ids():
    def part(name):
        wish = {"placeholder_id": "v1", "description": name, "search_query": f"{name} photo"}
        return lesson_from(
            {"title": name, "structure": [placeholder(placeholder_id="v1")], "visual_opportunities": [wish]}
        )

    merged = merge([part("Rain"), part("Snow")])
    assert merged.title == "Rain"
    assert [(wanted.description, wanted.search_query) for wanted in collect(merged)] == [
        ("Rain", "Rain photo"),
        ("Snow", "Snow photo"),
    ]


def test_duplicate_and_missing_ids_are_resolved():
    lesson = lesson_from(
        {
            "structure": [
                placeholder(placeholder_id="p"),
                placeholder(placeholder_id="p"),
                placeholder(placeholder_id="p"),
                placeholder(content="Own words"),
                placeholder(placeholder_id="unknown", content="Else"),
                placeholder(placeholder_id="unknown"),
                placeholder(placeholder_id=7, content="Seven's own"),
            ],
            "visual_opportunities": [
                {"placeholder_id": "p", "description": "First"},
                {"placeholder_id": "p", "description": "Second"},
                {"placeholder_id": "7", "concept": "C", "search_query": "seven"},
            ],
        }
    )
    assert descriptions(lesson) == ["First", "Second", "Own words", "Else", "Seven's own"]
    ids = [block.placeholder_id for block in lesson.structure]
    assert ids[1] == ids[2] == placeholder_id("second")
    assert ids[5] is None
    assert collect(lesson)[-1].search_query == "seven"


def test_merging_keeps_order_and_joins_summaries():
    first = lesson_from({"summary": "A.", "structure": ["a"]})
    second = lesson_from({"title": "T", "summary": "B.", "structure": ["b", "c"]})
    merged = merge([first, second])
    assert (merged.title, merged.summary) == ("T", "A.\n\nB.")
    assert [block.content for block in merged.structure] == ["a", "b", "c"]


def test_a_lesson_without_title_takes_its_first_heading_then_the_file_name():
    untitled = lesson_from([{"content_type": "heading", "content": "Rain"}])
    assert title_of(untitled, "x.md") == "Rain"
    assert title_of(lesson_from(["text"]), "x.md") == "x.md"
    assert title_of(lesson_from(["text"]), None) == "Untitled"
