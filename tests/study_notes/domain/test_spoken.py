import pytest

from systems.study_notes.domain.languages import two_letters
from systems.study_notes.domain.spoken import Chunk, TimedText, chunks_of, joined, paragraphs


@pytest.mark.parametrize(
    ("length_s", "lengths"),
    [(0.1, [0.1]), (299.0, [299.0]), (300.0, [300.0]), (300.2, [300.2]), (301.0, [300.0, 1.0]), (650, [300, 300, 50])],
)
def test_a_recording_is_cut_without_a_gap(length_s: float, lengths: list[float]) -> None:
    chunks = chunks_of(length_s, 300.0)
    assert [chunk.length_s for chunk in chunks] == pytest.approx(lengths)
    assert [chunk.start_s for chunk in chunks] == pytest.approx([300.0 * n for n in range(len(lengths))])
    assert [chunk.number for chunk in chunks] == list(range(1, len(lengths) + 1))
    assert chunks[0] == Chunk(1, 0.0, chunks[0].length_s)


def test_a_pause_or_the_end_of_a_long_sentence_ends_a_paragraph() -> None:
    short = [TimedText("One", 0, 1), TimedText("two.", 1.5, 2), TimedText("Three.", 4, 5)]
    assert paragraphs(short) == "One two.\n\nThree."
    long = [TimedText("word " * 60 + "end.", n, n + 1) for n in range(4)]
    assert [len(part.split()) for part in paragraphs(long).split("\n\n")] == [122, 122]
    assert paragraphs([]) == ""


def test_parts_are_joined_where_the_sentence_goes_on() -> None:
    assert joined(["The wheel ", " turns.", "", "The stone grinds."]) == "The wheel turns.\n\nThe stone grinds."


def test_what_is_kept_of_a_piece_can_be_stored_anywhere() -> None:
    assert TimedText("a\x00b", 0.0, 1.0).as_json() == {"text": "ab", "start_s": 0.0, "end_s": 1.0}


def test_a_piece_is_later_by_the_beginning_of_its_part() -> None:
    assert TimedText("a", 0.25, 0.5).later(300) == TimedText("a", 300.25, 300.5)


def test_languages_have_two_letters_where_there_are_such() -> None:
    assert [two_letters(code) for code in ("eng", "spa", "zho", "tlh", "")] == ["en", "es", "zh", None, None]
