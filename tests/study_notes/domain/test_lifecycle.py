"""Which changes of a source are legal."""

import pytest

from systems.study_notes.domain.lifecycle import (
    SourceStatus,
    Stage,
    VisualStatus,
    cancel,
    complete,
    complete_with_errors,
    enter,
    fail,
    retry,
    up_to,
)

LEGAL = {
    ("PENDING", "PROCESSING"),
    ("PENDING", "CANCELLED"),
    ("PROCESSING", "PROCESSING"),
    ("PROCESSING", "COMPLETED"),
    ("PROCESSING", "COMPLETED_WITH_ERRORS"),
    ("PROCESSING", "FAILED"),
    ("PROCESSING", "CANCELLED"),
    ("FAILED", "PROCESSING"),
    ("CANCELLED", "PROCESSING"),
    ("COMPLETED_WITH_ERRORS", "PROCESSING"),
}


def test_the_changes_are_exactly_the_legal_ones():
    stage = Stage.ANALYZING_TEXT
    changes = [
        enter(stage),
        complete(),
        complete_with_errors("r"),
        fail(stage, "r"),
        cancel(stage),
        retry(stage),
    ]
    assert {(start, change.status) for change in changes for start in change.from_statuses} == LEGAL


def test_only_a_retry_request_leaves_a_terminal_status():
    stage = Stage.ASSEMBLING_NOTE
    for change in (enter(stage), complete(), complete_with_errors("r"), fail(stage, "r"), cancel(stage)):
        assert not any(status.is_terminal for status in change.from_statuses)
        assert not change.new_run
    assert retry(stage).new_run
    assert SourceStatus.COMPLETED not in retry(stage).from_statuses


@pytest.mark.parametrize("stage", list(Stage))
def test_a_stage_is_entered_from_itself_and_earlier_ones_only(stage):
    assert {None, stage} <= up_to(stage)
    assert all(earlier is None or earlier.rank <= stage.rank for earlier in up_to(stage))


def test_a_failure_keeps_its_stage_and_reason_and_the_end_keeps_none():
    failed = fail(Stage.ANALYZING_TEXT, "no answer")
    assert (failed.stage, failed.failed_stage, failed.error) == (
        Stage.ANALYZING_TEXT,
        Stage.ANALYZING_TEXT,
        "no answer",
    )
    assert Stage.ASSEMBLING_NOTE not in failed.from_stages
    done = complete()
    assert (done.stage, done.failed_stage, done.error) == (None, None, None)
    assert complete_with_errors("x").failed_stage is Stage.GENERATING_STUDY_TOOLS


def test_a_visual_is_finished_in_success_and_failure():
    finished = {status for status in VisualStatus if status.is_finished}
    assert finished == {VisualStatus.COMPLETED, VisualStatus.FAILED, VisualStatus.NO_IMAGE_FOUND}
