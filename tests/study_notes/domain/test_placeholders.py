"""Places for pictures."""

import hashlib

from systems.study_notes.domain.placeholders import collect, markers, placeholder_id, without_markers
from systems.study_notes.domain.repair import lesson_from
from systems.study_notes.domain.structure import Block, ContentType


def test_the_id_is_the_hash_of_the_folded_description():
    expected = hashlib.sha256("a straße in rain".casefold().encode()).hexdigest()[:16]
    assert placeholder_id("A  Straße\n in RAIN ") == expected


def test_equal_descriptions_are_one_picture_also_across_blocks_and_markers():
    lesson = lesson_from(
        [
            {"content_type": "visual_placeholder", "content": "A mill wheel"},
            {"content_type": "paragraph", "content": "Look [VISUAL::a  MILL wheel] here and [VISUAL::A dam]."},
            {"content_type": "list", "items": ["one", "two [VISUAL::A dam]"]},
        ]
    )
    assert [wanted.description for wanted in collect(lesson)] == ["A mill wheel", "A dam"]


def test_markers_are_found_in_every_text_of_a_block_and_taken_out():
    block = Block(
        content_type=ContentType.HEADING,
        title="[VISUAL::1]",
        content="b [VISUAL::2] c",
        section_summary="[VISUAL::3]s",
        key_points=("[VISUAL::4]", "k"),
        items=("i [VISUAL::5]",),
        question="q[VISUAL::6]",
        answer="a[VISUAL::7]",
        term="t[VISUAL::8]",
        definition="d[VISUAL::9]",
    )
    assert sorted(markers(block)) == [str(n) for n in range(1, 10)]
    clean = without_markers(block)
    assert markers(clean) == []
    assert (clean.title, clean.content, clean.section_summary) == (None, "b c", "s")
    assert (clean.key_points, clean.items) == (("k",), ("i",))


def test_code_is_left_alone():
    block = Block(content_type=ContentType.CODE_BLOCK, content="x = '[VISUAL::no]'")
    assert markers(block) == []
    assert without_markers(block) is block


def test_a_marker_takes_its_search_words_from_the_opportunity_it_describes():
    lesson = lesson_from(
        {
            "structure": ["See [VISUAL::A dam]"],
            "visual_opportunities": [{"description": "a dam", "search_query": "concrete dam", "concept": "Dams"}],
        }
    )
    (wanted,) = collect(lesson)
    assert (wanted.search_query, wanted.concept, wanted.description) == ("concrete dam", "Dams", "a dam")


def test_places_without_description_want_no_picture():
    lesson = lesson_from([{"content_type": "visual_placeholder"}, "text [VISUAL:: ]"])
    assert collect(lesson) == []


def test_a_placeholder_written_as_a_marker_is_one_place():
    lesson = lesson_from([{"content_type": "visual_placeholder", "content": "[VISUAL::A dam]"}])
    assert [wanted.description for wanted in collect(lesson)] == ["A dam"]
