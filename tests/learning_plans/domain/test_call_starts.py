from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from systems.learning_plans.domain.call_starts import FARTHEST, CallStarts, next_turn

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
EIGHT = timedelta(seconds=8)


@given(st.lists(st.floats(0, 60), max_size=40), st.integers(1, 30))
def test_starts_are_apart_and_a_day_has_its_limit(gaps: list[float], limit: int) -> None:
    starts: list[datetime] = []
    known: CallStarts | None = None
    now = NOW
    for gap in gaps:
        now += timedelta(seconds=gap)
        turn = next_turn(known, now, EIGHT, limit)
        if turn is None:
            assert len(starts) == limit
            continue
        known = turn.given
        starts.append(now + timedelta(seconds=turn.wait_s))
    assert len(starts) <= limit
    assert all(later - earlier >= EIGHT - timedelta(microseconds=2) for earlier, later in pairwise(starts))


def test_the_first_call_may_start_at_once() -> None:
    turn = next_turn(None, NOW, EIGHT, 1)
    assert turn is not None
    assert turn.wait_s == 0
    assert next_turn(turn.given, NOW, EIGHT, 1) is None


def test_a_new_day_in_utc_has_calls_of_its_own() -> None:
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    used = CallStarts((midnight - EIGHT).date(), 5, midnight)
    assert next_turn(used, midnight - timedelta(seconds=1), EIGHT, 5) is None
    turn = next_turn(used, midnight, EIGHT, 5)
    assert turn is not None
    assert turn.given.count == 1


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    far = CallStarts(NOW.date(), 1, NOW + FARTHEST + EIGHT)
    turn = next_turn(far, NOW, EIGHT, 5)
    assert turn is not None
    assert turn.wait_s == 0
