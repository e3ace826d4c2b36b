import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.order import MAX_LEVEL, Priority, level_of, position
from penstock.errors import InvalidJob

NOW = 1_800_000_000_000_000
MINUTE = 60_000_000
levels = st.integers(-MAX_LEVEL, MAX_LEVEL)
times = st.integers(NOW, NOW + 50 * 365 * 24 * 60 * MINUTE)


@pytest.mark.parametrize(
    ("priority", "level"),
    [
        ("low", -10),
        ("normal", 0),
        ("HIGH", 10),
        ("Urgent", 20),
        (Priority.HIGH, 10),
        (7, 7),
        (1000, 1000),
        (-1000, -1000),
    ],
)
def test_a_priority_is_a_name_or_an_integer(priority, level):
    found = level_of(priority)
    assert found == level
    assert type(found) is int


@pytest.mark.parametrize("priority", ["highest", "", "5", 1001, -1001, True, 1.5, None])
def test_anything_else_is_refused_with_what_would_be_right(priority):
    with pytest.raises(InvalidJob, match=r"^priority .*low, normal, high, urgent or an integer"):
        level_of(priority)


@given(levels, times, levels, times)
def test_without_aging_the_level_decides_and_then_the_age(level, ready_at, other_level, other_ready_at):
    first = position(ready_at, level, None) < position(other_ready_at, other_level, None)
    assert first == ((-level, ready_at) < (-other_level, other_ready_at))


@given(levels, times)
def test_a_position_fits_a_signed_64_bit_column(level, ready_at):
    assert -(2**63) <= position(ready_at, level, None) < 2**63


def test_with_aging_a_lower_level_overtakes_after_a_step_for_each_level():
    high_now = position(NOW, 10, MINUTE)
    assert position(NOW - 10 * MINUTE + 1, 0, MINUTE) > high_now
    assert position(NOW - 10 * MINUTE - 1, 0, MINUTE) < high_now
