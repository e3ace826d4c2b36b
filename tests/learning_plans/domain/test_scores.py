import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.domain.doc_sites import AUTHORITY, DEFAULT_DOMAINS, authority, doc_score
from systems.learning_plans.domain.video_score import popularity, recency, suitability, video_score


@pytest.mark.parametrize(("views", "share"), [(0, 0), (9, 1 / 7), (999_999, 6 / 7), (9_999_999, 1), (10**12, 1)])
def test_popularity_is_the_logarithm_of_the_views(views: int, share: float) -> None:
    assert popularity(views) == pytest.approx(share)


@pytest.mark.parametrize(("days", "share"), [(-30, 1), (0, 1), (365, 1 / math.e), (730, math.exp(-2))])
def test_recency_falls_with_the_age(days: float, share: float) -> None:
    assert recency(days) == pytest.approx(share)


@pytest.mark.parametrize(
    ("minutes", "fit"),
    [(0, 0.3), (1.99, 0.3), (2, 0.8), (4.99, 0.8), (5, 1), (30, 1), (30.1, 0.8), (60, 0.8), (60.1, 0.6), (120, 0.6),
     (120.1, 0.4)],
)  # fmt: skip
def test_a_length_of_five_to_thirty_minutes_fits_best(minutes: float, fit: float) -> None:
    assert suitability(minutes) == fit


def test_a_videos_score_weighs_its_four_parts() -> None:
    assert video_score(views=9_999_999, age_days=0, relevance=1, minutes=10) == 1
    assert video_score(views=0, age_days=1e9, relevance=0, minutes=0) == pytest.approx(0.05 * 0.3)
    scored = video_score(views=999, age_days=365, relevance=0.5, minutes=45)
    assert scored == pytest.approx(0.45 * 3 / 7 + 0.25 / math.e + 0.25 * 0.5 + 0.05 * 0.8)


def test_nineteen_domains_are_trusted_two_of_them_wholly() -> None:
    assert len(DEFAULT_DOMAINS) == 19
    assert [domain for domain in DEFAULT_DOMAINS if AUTHORITY[domain] == 1] == [
        "developer.mozilla.org",
        "docs.python.org",
    ]
    assert {AUTHORITY[domain] for domain in DEFAULT_DOMAINS[2:]} == {0.9}


@pytest.mark.parametrize(
    ("host", "trust"),
    [("docs.python.org", 1), ("www.postgresql.org", 0.9), ("python.org", 0.5), ("notreact.dev", 0.5)],
)
def test_trust_goes_by_domain_and_what_lies_below_it(host: str, trust: float) -> None:
    assert authority(host) == trust


@pytest.mark.parametrize(
    ("host", "relevant", "age", "expected"),
    [
        ("docs.python.org", 1, 0, 1.0),
        ("react.dev", 0.5, None, 0.54 + 0.15 + 0.05),
        ("example.org", 0, 365, 0.3 + 0.1 / math.e),
        ("example.org", 5 / 6, None, 0.6),
    ],
)
def test_a_docs_score_weighs_trust_relevance_and_age(
    host: str, relevant: float, age: float | None, expected: float
) -> None:
    assert doc_score(host=host, relevance=relevant, age_days=age) == pytest.approx(expected)


def test_a_cut_off_is_met_where_it_is_met_on_paper() -> None:
    assert doc_score(host="example.org", relevance=5 / 6, age_days=None) == 0.6


@given(st.integers(0, 10**15), st.floats(-1e6, 1e6), st.floats(0, 1), st.floats(0, 1e6))
def test_scores_are_shares(views: int, age: float, relevant: float, minutes: float) -> None:
    assert 0 <= video_score(views=views, age_days=age, relevance=relevant, minutes=minutes) <= 1
    assert 0 <= doc_score(host="react.dev", relevance=relevant, age_days=age) <= 1
