from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.domain.resources import Candidate, ResourceType, select_top, suitable

VIDEO, DOC = ResourceType.YOUTUBE, ResourceType.DOC


def found(score: float, source: ResourceType = VIDEO, *, name: str | None = None, relevance: float = 0.5) -> Candidate:
    url = f"https://{source}.example/{name or score}"
    return Candidate(source, url, "title", f"{source}.example", score, relevance)


candidates = st.lists(
    st.builds(
        found,
        st.floats(0, 1),
        st.sampled_from(ResourceType),
        name=st.sampled_from("abcdefghijkl"),
        relevance=st.sampled_from([0.0, 0.25, 1.0]),
    ),
    max_size=12,
)
cutoffs = st.floats(0, 1)
limits = st.integers(1, 10)


def scores(chosen: list[Candidate]) -> list[tuple[ResourceType, float]]:
    return [(one.type, one.score) for one in chosen]


def test_lp_15_the_cut_off_is_kept_and_met_exactly() -> None:
    chosen = select_top([found(0.59999), found(0.6), found(0.9)], 0.6, 3)
    assert scores(chosen) == [(VIDEO, 0.9), (VIDEO, 0.6)]


def test_lp_15_one_source_gives_its_best() -> None:
    assert scores(select_top([found(n / 10) for n in range(6, 10)], 0.6, 2)) == [(VIDEO, 0.9), (VIDEO, 0.8)]


def test_lp_15_the_largest_source_alone_is_taken_when_it_has_enough() -> None:
    videos = [found(0.7), found(0.71), found(0.72)]
    assert scores(select_top([*videos, found(0.99, DOC)], 0.6, 3)) == [(VIDEO, 0.72), (VIDEO, 0.71), (VIDEO, 0.7)]


def test_lp_15_otherwise_every_source_is_present() -> None:
    chosen = select_top([found(0.95), found(0.94), found(0.61, DOC)], 0.6, 3)
    assert scores(chosen) == [(VIDEO, 0.95), (DOC, 0.61), (VIDEO, 0.94)]


def test_lp_15_of_two_sources_that_both_have_enough_the_one_with_the_best_is_taken() -> None:
    both = [found(0.7), found(0.8), found(0.75, DOC), found(0.9, DOC)]
    assert scores(select_top(both, 0.6, 2)) == [(DOC, 0.9), (DOC, 0.75)]


def test_lp_15_what_has_nothing_in_common_with_the_query_is_never_taken() -> None:
    assert select_top([found(1.0, relevance=0)], 0.0, 3) == []


def test_equal_scores_are_ordered_by_address_and_an_address_is_taken_once() -> None:
    same = [found(0.8, name="b"), found(0.8, name="a"), found(0.7, name="b")]
    assert [one.url[-1] for one in select_top(same, 0.6, 3)] == ["a", "b"]


@given(candidates, cutoffs, limits)
def test_what_is_selected_is_suitable_distinct_and_not_too_much(
    given_ones: list[Candidate], cutoff: float, limit: int
) -> None:
    chosen = select_top(given_ones, cutoff, limit)
    assert len(chosen) <= limit
    assert all(one.score >= cutoff and one.relevance > 0 for one in chosen)
    assert max(Counter(one.url for one in chosen).values(), default=1) == 1


@given(candidates, cutoffs, limits)
def test_a_place_stays_empty_only_for_want_of_suitable_ones(
    given_ones: list[Candidate], cutoff: float, limit: int
) -> None:
    usable = suitable(given_ones, cutoff)
    chosen = select_top(given_ones, cutoff, limit)
    assert len(chosen) == min(limit, len(usable))


@given(candidates, cutoffs, limits)
def test_each_source_is_present_unless_one_alone_has_enough(
    given_ones: list[Candidate], cutoff: float, limit: int
) -> None:
    usable = suitable(given_ones, cutoff)
    chosen = select_top(given_ones, cutoff, limit)
    counts = Counter(one.type for one in usable)
    if counts and max(counts.values()) >= limit:
        assert len({one.type for one in chosen}) == 1
    else:
        assert {one.type for one in chosen} == set(counts)


@given(candidates, cutoffs, limits, st.randoms())
def test_the_order_things_were_found_in_does_not_matter(
    given_ones: list[Candidate], cutoff: float, limit: int, random
) -> None:
    shuffled = list(dict.fromkeys(given_ones))
    random.shuffle(shuffled)
    chosen, again = select_top(given_ones, cutoff, limit), select_top(shuffled, cutoff, limit)
    assert [(one.url, one.score) for one in chosen] == [(one.url, one.score) for one in again]


@pytest.mark.parametrize("limit", [1, 3])
def test_nothing_found_is_nothing_selected(limit: int) -> None:
    assert select_top([], 0.6, limit) == []
