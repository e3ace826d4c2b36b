"""Sentences, words, language, markup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ai.offline import (
    detect_language,
    lexicon_for,
    plain_text,
    split_sentences,
    strong_terms,
    tokens,
    word_key,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith met J. R. Brown. They talked.", ["Dr. Smith met J. R. Brown.", "They talked."]),
        ("It cost 3.5 dollars, e.g. for tea. Cheap!", ["It cost 3.5 dollars, e.g. for tea.", "Cheap!"]),
        (
            "He left at 5 p.m. on time. She came at 6 p.m. The end.",
            ["He left at 5 p.m. on time.", "She came at 6 p.m.", "The end."],
        ),
        ("He lives in the U.S. Army base.", ["He lives in the U.S. Army base."]),
        ('"Why?" he asked. "No." Then silence…', ['"Why?" he asked.', '"No."', "Then silence…"]),
        ("Am 3. Oktober kam er. Er blieb.", ["Am 3. Oktober kam er.", "Er blieb."]),
        ("In 1850. Then.", ["In 1850.", "Then."]),
        ("¿Qué es? Es agua.", ["¿Qué es?", "Es agua."]),
        ("これは本です。あれも。", ["これは本です。", "あれも。"]),
        ("यह पानी है। वह नदी है।", ["यह पानी है।", "वह नदी है।"]),
        ("No end", ["No end"]),
        ("", []),
    ],
)
def test_sentences_are_cut_where_they_end(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


@given(st.text(alphabet="aB .!?1\n。", max_size=80))
def test_splitting_loses_nothing_but_white_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_words_keep_apostrophes_hyphens_marks_and_numbers_whole() -> None:
    found = [token.text for token in tokens("The miller's well-known 1,200 mills (95%) – पानी, 3.5")]
    assert found == ["The", "miller's", "well-known", "1,200", "mills", "95%", "पानी", "3.5"]


def test_word_key_joins_plural_and_possessive() -> None:
    assert {word_key("wheels"), word_key("Wheel"), word_key("wheel's")} == {"wheel"}
    assert word_key("batteries") == word_key("battery")
    assert word_key("glass") == "glass"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The water of the river turns the wheel and the wheel turns the stone.", "eng"),
        ("El agua del río mueve la rueda y la rueda mueve la piedra del molino.", "spa"),
        ("L'eau de la rivière fait tourner la roue et la roue fait tourner la meule.", "fra"),
        ("Das Wasser des Flusses dreht das Rad und das Rad dreht den Stein.", "deu"),
        ("A água do rio move a roda e a roda move a pedra que está no moinho.", "por"),
        ("L'acqua del fiume muove la ruota e la ruota muove la pietra che è nel mulino.", "ita"),
        ("Вода реки вращает колесо.", "rus"),
        ("xyzzy plugh", "eng"),
        ("", "eng"),
    ],
)
def test_language_is_told_by_its_function_words_or_script(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_language_without_lists_gets_its_own_frequent_short_words_as_stop_words() -> None:
    polish = "Woda i młyn w dolinie. Koło i kamień w młynie. Rzeka i most w lesie. Ziarno i mąka w worku."
    lexicon = lexicon_for(polish, "pol")
    assert lexicon.language == "pol"
    assert lexicon.is_stop("i")
    assert lexicon.is_stop("w")
    assert not lexicon.is_stop("woda")


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("a **bold** and *slanted* `code` [link](http://x/y(z)) ![alt](http://i)", "a bold and slanted code link"),
        (r"5 \* 3 \[x\] &amp; &lt;b&gt;", "5 * 3 [x] & <b>"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("`a*b*c` and ***both***", "a*b*c and both"),
        ("note[^1] here", "note here"),
    ],
)
def test_markdown_signs_are_taken_out_and_plain_signs_left(markdown: str, plain: str) -> None:
    assert plain_text(markdown) == plain


def test_bold_terms_are_listed_once_in_order() -> None:
    assert strong_terms("**Head**: x, __Flow__ and **Head**") == ["Head", "Flow"]


@pytest.mark.parametrize("sign", ["[", "![a", "[a](", "__a ", "**a ", "`a ``b ", "<b ", ".", ".)", "a? ", "a. ", r"\*"])
def test_hostile_repetition_is_read_through(sign: str) -> None:
    # A pattern that backtracks over the whole text would run into the test's time limit here.
    text = sign * (200_000 // len(sign))
    plain_text(text)
    split_sentences(text)
