"""What follows from a sink's answer."""

from datetime import UTC, datetime
from random import Random

from penstock.domain.metering import Later, MeteredCall, Owed, Put, Refused, Taken, after, forgotten, is_forgotten

SECOND = 1_000_000
MOMENT = datetime(2026, 1, 5, tzinfo=UTC)
CALL = MeteredCall("c", "p", "m", "answered", MOMENT, MOMENT, 1, 1, 0, None)


def owed(tries: int = 1, unsure_since: int = 100) -> Owed:
    return Owed(CALL, tries, unsure_since)


def test_what_was_taken_is_owed_no_more():
    assert after(Taken(), owed(), 200, 100, Random(1)) is None


def test_what_was_refused_is_kept_for_a_person():
    assert after(Refused("no" * 400), owed(), 200, 100, Random(1)) == Put("c", "no" * 250, 200, None, 200)


def test_pauses_double_up_to_five_minutes_unless_the_sink_names_a_longer_one():
    def pause(tries: int, after_s: float | None = None) -> float:
        put = after(Later("busy", after_s), owed(tries), 0, 100, Random(1))
        assert put is not None
        assert put.refused_at is None
        return put.due_at / SECOND

    assert 1.5 <= pause(1) <= 2.5
    assert 3 <= pause(2) <= 5
    assert 225 <= pause(9) <= 375
    assert 225 <= pause(1_000_000) <= 375
    assert pause(1, 60) == 60


def test_a_doubt_begins_with_an_unsure_answer_and_stays():
    def doubt(unsure: bool, since: int) -> int | None:
        put = after(Later("busy", unsure=unsure), owed(unsure_since=since), 200, 100, Random(1))
        assert put is not None
        return put.unsure_since

    assert doubt(False, 100) is None
    assert doubt(True, 100) == 100
    assert doubt(False, 50) == 50, "an earlier time is still in doubt"
    assert doubt(True, 50) == 50


def test_a_doubt_longer_than_the_sinks_memory_is_a_persons():
    assert not is_forgotten(owed(unsure_since=100), 199, 100)
    assert is_forgotten(owed(unsure_since=100), 200, 100)
    put = forgotten(owed(unsure_since=100), 200)
    assert (put.refused_at, put.unsure_since) == (200, 100)
