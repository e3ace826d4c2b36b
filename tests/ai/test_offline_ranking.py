"""Phrases, sentences, definitions, gaps."""

import pytest

from penstock.ai.offline import (
    BLANK,
    OPTIONS,
    best_sentences,
    distinct_phrases,
    find_definition,
    leans_back,
    lexicon_for,
    make_cloze,
    number_terms,
    phrase_terms,
    rank_phrases,
)

TEXT = [
    "The water wheel turns in the stream.",
    "A water wheel drives the stone of the mill.",
    "It does so slowly.",
    "The stream fills the pond above the mill.",
    "Does the miller sleep?",
    "The pond of the mill holds the stream of a night.",
]
ENGLISH = lexicon_for(" ".join(TEXT), "eng")


def test_recurring_noun_phrases_rank_first_and_verbs_do_not_count_as_nouns() -> None:
    phrases = rank_phrases(TEXT, ENGLISH)
    assert {"water wheel", "stream", "mill"} <= {phrase.text for phrase in phrases[:4]}
    assert not next(phrase for phrase in phrases if phrase.text == "drives").is_noun


def test_equal_scores_keep_the_order_of_the_text_and_runs_agree() -> None:
    phrases = rank_phrases(["The ash, the oak and the elm."], ENGLISH)
    assert [phrase.text for phrase in phrases] == sorted(phrase.text for phrase in phrases)
    assert phrases == rank_phrases(["The ash, the oak and the elm."], ENGLISH)


def test_boosted_terms_rise() -> None:
    assert rank_phrases(TEXT, ENGLISH, boosts=["pond"])[0].text == "pond"


def test_names_are_kept_whole_without_their_fragments() -> None:
    texts = [
        phrase.text for phrase in rank_phrases(["He won the Nobel Prize in May.", "The Nobel Prize came."], ENGLISH)
    ]
    assert "Nobel Prize" in texts
    assert "Prize" not in texts


def test_distinct_phrases_share_no_word() -> None:
    keys = [set(phrase.key) for phrase in distinct_phrases(rank_phrases(TEXT, ENGLISH), 5)]
    assert sum(map(len, keys)) == len(set().union(*keys))


def test_best_sentences_are_the_texts_own_in_its_order_without_leaning_ones_and_questions() -> None:
    best = best_sentences(TEXT, ENGLISH, 3)
    assert best == [sentence for sentence in TEXT if sentence in best]
    assert not {TEXT[2], TEXT[4]} & set(best)
    assert leans_back(TEXT[2], ENGLISH)


@pytest.mark.parametrize(
    ("language", "sentence", "term", "meaning"),
    [
        ("eng", "A penstock is a gated pipe that carries water.", "Penstock", "A gated pipe that carries water."),
        ("eng", "Head means the height of the falling water.", "Head", "The height of the falling water."),
        (
            "eng",
            "Efficacy is the share of cases that are prevented.",
            "Efficacy",
            "The share of cases that are prevented.",
        ),
        (
            "eng",
            "Turbines are machines that turn flow into rotation.",
            "Turbines",
            "Machines that turn flow into rotation.",
        ),
        ("eng", "Tailrace: the channel behind the water wheel", "Tailrace", "The channel behind the water wheel"),
        ("xxx", "Kanał – droga wodna dla małych statków", "Kanał", "Droga wodna dla małych statków"),
        ("spa", "La noria es una rueda que eleva agua.", "Noria", "Una rueda que eleva agua."),
        ("spa", "La presión es la fuerza del agua sobre la pared.", "Presión", "La fuerza del agua sobre la pared."),
        ("fra", "Une écluse est un ouvrage qui relie deux niveaux.", "Écluse", "Un ouvrage qui relie deux niveaux."),
        (
            "deu",
            "Eine Turbine ist eine Maschine mit drehenden Schaufeln.",
            "Turbine",
            "Eine Maschine mit drehenden Schaufeln.",
        ),
        ("por", "A turbina é uma máquina que gira com água.", "Turbina", "Uma máquina que gira com água."),
        ("ita", "La turbina è una macchina che gira con acqua.", "Turbina", "Una macchina che gira con acqua."),
    ],
)
def test_definitions_are_found(language: str, sentence: str, term: str, meaning: str) -> None:
    found = find_definition(sentence, lexicon_for("", language))
    assert found is not None
    assert (found.term, found.meaning) == (term, meaning)


def test_a_name_given_in_passing_is_defined_by_its_whole_sentence() -> None:
    sentence = "The channel behind the wheel, called the tailrace, leads the water back."
    found = find_definition(sentence, lexicon_for("", "eng"))
    assert found is not None
    assert (found.term, found.meaning) == ("Tailrace", sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "This is a gated pipe that carries water.",
        "It was a long day for everybody in the mill.",
        "Ink was a problem of its own.",
        "The first step is a hard one for all of us.",
        "Vaccines use this memory: they show the body a harmless germ.",
        "Note: the gate must be closed at night.",
        "The wheels of the mill turn.",
    ],
)
def test_what_only_looks_like_a_definition_is_none(sentence: str) -> None:
    assert find_definition(sentence, lexicon_for("", "eng")) is None


def test_gap_has_four_distinct_options_of_one_kind_and_the_right_one_at_its_index() -> None:
    terms = phrase_terms(rank_phrases(["The ash, the oak, the elm and the fir.", "The beech."], ENGLISH))
    oak = next(term for term in terms if term.text == "oak")
    cloze = make_cloze("Ships were built of the oak.", oak, terms)
    assert cloze is not None
    assert cloze.gapped == f"Ships were built of the {BLANK}."
    assert cloze.answer == "oak"
    assert len(set(cloze.options)) == OPTIONS
    assert cloze == make_cloze("Ships were built of the oak.", oak, terms)


def test_years_stand_only_beside_years() -> None:
    pool = number_terms(["From 1796 to 1980, 95% of 120 towns.", "In 1879 and 1926, 3 of 300."])
    cloze = make_cloze("It began in 1796.", pool[0], pool)
    assert cloze is not None
    assert sorted(cloze.options) == ["1796", "1879", "1926", "1980"]
    assert make_cloze("It reached 95% at last.", next(term for term in pool if term.text == "95%"), pool) is None


def test_no_gap_where_the_term_is_missing_or_stands_twice() -> None:
    terms = phrase_terms(rank_phrases(["The ash, the oak, the elm and the fir."], ENGLISH))
    assert make_cloze("The beech fell.", terms[0], terms) is None
    assert make_cloze("An ash is an ash.", terms[0], terms) is None


def test_wrong_options_agree_with_a_gendered_article() -> None:
    text = ["La rueda gira en el río.", "La piedra y la turbina.", "La acequia y el molino.", "El canal y el embalse."]
    spanish = lexicon_for(" ".join(text), "spa")
    terms = phrase_terms(rank_phrases(text, spanish))
    wheel = next(term for term in terms if term.text == "rueda")
    cloze = make_cloze("La rueda gira en el río.", wheel, terms)
    assert cloze is not None
    assert set(cloze.options) == {"rueda", "piedra", "turbina", "acequia"}
    # With two words of that gender beside it, masculine ones would give the answer away.
    fewer = [term for term in terms if term.text != "acequia"]
    assert make_cloze("La rueda gira en el río.", wheel, fewer) is None
