import pytest

from penstock.domain.states import FINAL, LEGAL, TRANSITIONS, WAITING, JobState, JobStatus, Way, status_of

RUNNING = JobState.RUNNING


def test_every_way_is_a_transition_and_none_is_listed_twice():
    assert {t.way for t in TRANSITIONS} == set(Way)
    changes = [(t.way, t.source, t.target) for t in TRANSITIONS]
    assert len(changes) == len(set(changes))


def test_each_way_has_one_place_and_says_why():
    places = {way: {t.place for t in TRANSITIONS if t.way is way} for way in Way}
    assert all(len(found) == 1 for found in places.values()), places
    assert all(t.place.startswith("programs.") and t.why for t in TRANSITIONS)


def test_the_legal_changes_are_these_and_no_others():
    waits_or_ends = {"scheduled", "ready", "cancelled", "failed"}
    legal = {
        None: {"blocked", "scheduled", "ready"},
        "blocked": {"ready", "scheduled", "cancelled", "failed"},
        "scheduled": waits_or_ends,
        "ready": {"scheduled", "running", "cancelled", "failed"},
        "running": {"scheduled", "ready", "completed", "failed", "cancelled"},
        "completed": {"ready", "blocked"},
        "failed": {"ready", "blocked"},
        "cancelled": {"ready", "blocked"},
    }
    assert {(source, target) for source, found in legal.items() for target in found} == LEGAL


def test_waiting_running_and_final_share_out_all_states():
    assert WAITING | FINAL | {RUNNING} == set(JobState)
    assert not WAITING & FINAL
    assert RUNNING not in WAITING | FINAL


def test_a_final_state_is_left_only_by_a_retry():
    assert {t.way for t in TRANSITIONS if t.source in FINAL} == {Way.REVIVE, Way.REVIVE_BLOCKED}


def test_only_a_claim_starts_a_run_and_only_claim_and_settle_end_it():
    assert {t.way for t in TRANSITIONS if t.target is RUNNING} == {Way.CLAIM}
    assert {t.place for t in TRANSITIONS if t.source is RUNNING} == {"programs.settle", "programs.claim"}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (JobState.BLOCKED, JobStatus.PENDING),
        (JobState.SCHEDULED, JobStatus.PENDING),
        (JobState.READY, JobStatus.PENDING),
        (JobState.RUNNING, JobStatus.RUNNING),
        (JobState.COMPLETED, JobStatus.COMPLETED),
        (JobState.FAILED, JobStatus.FAILED),
        (JobState.CANCELLED, JobStatus.CANCELLED),
    ],
)
def test_the_outside_status_of_a_state(state, status):
    assert status_of(state) is status
