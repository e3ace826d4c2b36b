import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.domain.relevance import STOP_WORDS, occurs, relevance, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Basics of the SQL joins", ["basics", "sql", "joins"]),
        ("SQL: joins, SQL!", ["sql", "joins"]),
        ("What is C++ (and C#)?", ["c++", "c#"]),
        (".NET and Node.js.", [".net", "node.js"]),
        ("“Don’t” - panic & go", ["don't", "panic", "go"]),
        ("the of and", []),
        ("", []),
        ("ＳＱＬ Über", ["sql", "über"]),
    ],
)
def test_words_are_distinct_lower_case_and_say_something(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("query", "title", "share"),
    [
        ("SQL joins", "All SQL Joins in ten minutes", 1.0),
        ("SQL joins", "Join the SQL club", 0.5),
        ("SQL joins", "MySQLi for beginners", 0.0),
        ("Java streams", "JavaScript streams", 0.5),
        ("C++ templates", "Modern C++17", 0.5),
        ("node.js events", "NODE.JS: the event loop", 0.5),
        ("the of", "the of", 0.0),
        ("", "anything", 0.0),
        ("interview prep", "Welcome to our documentation", 0.0),
        ("machine learning basics regression", "Machine-learning regression", 0.75),
    ],
)
def test_relevance_is_the_share_of_the_querys_words_in_the_title(query: str, title: str, share: float) -> None:
    assert relevance(query, title) == pytest.approx(share)


@given(st.text(max_size=60), st.text(max_size=60))
def test_relevance_is_a_share_whatever_the_texts_are(query: str, title: str) -> None:
    assert 0 <= relevance(query, title) <= 1


@given(st.lists(st.from_regex(r"[a-z]{3,9}", fullmatch=True).filter(lambda word: word not in STOP_WORDS), min_size=1))
def test_a_title_with_all_words_of_the_query_is_wholly_relevant_in_any_case_and_order(words: list[str]) -> None:
    query = " ".join(words)
    assert relevance(query, f"the {' '.join(reversed(words)).upper()}!") == 1
    assert relevance(f"{query} {query}", query) == 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_more_words_in_a_title_never_make_it_less_relevant(query: str, title: str) -> None:
    assert relevance(query, f"{title} more words") >= relevance(query, title)


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("go programming", "Go  Programming for all", True),
        ("java", "javascript", False),
        (".net", "Learn .NET now", True),
        ("c#", "C# basics", True),
        ("react", "How proteins react", True),
        ("sql", "nosql", False),
    ],
)
def test_a_phrase_occurs_as_whole_words(phrase: str, text: str, expected: bool) -> None:
    assert occurs(phrase, text) is expected
