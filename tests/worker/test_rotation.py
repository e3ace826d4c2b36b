"""Weighted round robin between queues."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from penstock.worker.rotation import Rotation


def test_turns_are_shared_by_weight():
    rotation = Rotation({"a": 5, "b": 1, "c": 1})
    assert "".join(rotation.pick(["a", "b", "c"]) for _ in range(7)) == "aabacaa"


def test_equal_weights_take_turns():
    rotation = Rotation({"a": 1, "b": 1})
    assert [rotation.pick(["a", "b"]) for _ in range(4)] == ["a", "b", "a", "b"]


def test_a_single_candidate_has_the_turn():
    assert Rotation({"a": 1, "b": 100}).pick(["a"]) == "a"


def test_who_sat_out_does_not_save_turns_up():
    rotation = Rotation({"a": 1, "b": 1})
    for _ in range(100):
        rotation.pick(["a"])
    assert Counter(rotation.pick(["a", "b"]) for _ in range(10)) == {"a": 5, "b": 5}


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 100), min_size=1))
def test_over_a_full_round_everybody_gets_exactly_its_weight(weights):
    rotation = Rotation(weights)
    names = sorted(weights)
    turns = Counter(rotation.pick(names) for _ in range(sum(weights.values())))
    assert turns == weights
