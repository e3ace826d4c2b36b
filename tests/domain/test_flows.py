from itertools import product

import pytest

from penstock.domain.flows import FlowCounts, FlowStatus, Verdict, When, judge

COUNTS = list(product(range(4), repeat=3))


@pytest.mark.parametrize("when", list(When))
def test_the_verdict_is_what_the_condition_says_in_plain_words(when):
    for open_parents, completed, not_completed in COUNTS:
        ends = {
            # Its parents' ends in every way that is still possible: each open one completes or does not.
            (completed + more, not_completed + open_parents - more)
            for more in range(open_parents + 1)
        }
        holds = {
            When.ALL_COMPLETED: lambda good, bad: bad == 0,
            When.ALL_ENDED: lambda good, bad: True,
            When.ANY_COMPLETED: lambda good, bad: good > 0,
        }[when]
        verdict = judge(when, open_parents, completed, not_completed)
        told = (when, open_parents, completed, not_completed)
        if not any(holds(good, bad) for good, bad in ends):
            assert verdict is Verdict.UNMET, told
        elif open_parents == 0 or (when is When.ANY_COMPLETED and completed):
            assert verdict is Verdict.START, told
        else:
            assert verdict is Verdict.WAIT, told


def test_of_no_parents_all_have_completed_and_none_has():
    assert judge(When.ALL_COMPLETED, 0, 0, 0) is Verdict.START
    assert judge(When.ALL_ENDED, 0, 0, 0) is Verdict.START
    assert judge(When.ANY_COMPLETED, 0, 0, 0) is Verdict.UNMET


def test_a_verdict_never_changes_back_as_parents_end():
    for when, (open_parents, completed, not_completed) in product(When, COUNTS):
        verdict = judge(when, open_parents, completed, not_completed)
        if open_parents and verdict is not Verdict.WAIT:
            assert judge(when, open_parents - 1, completed + 1, not_completed) is verdict
            assert judge(when, open_parents - 1, completed, not_completed + 1) is verdict


def test_a_flow_is_named_after_the_worst_of_its_jobs_once_none_is_open():
    for open_, completed, failed, cancelled in product(range(3), repeat=4):
        counts = FlowCounts(open_ + completed + failed + cancelled, open_, completed, failed, cancelled)
        worst = next(
            (
                status
                for number, status in (
                    (open_, FlowStatus.RUNNING),
                    (failed, FlowStatus.FAILED),
                    (cancelled, FlowStatus.CANCELLED),
                    (completed, FlowStatus.COMPLETED),
                )
                if number
            ),
            FlowStatus.RUNNING,
        )
        assert counts.status() is worst, counts


@pytest.mark.parametrize(("total", "open_", "share"), [(0, 0, 0.0), (4, 4, 0.0), (4, 1, 0.75), (4, 0, 1.0)])
def test_the_progress_of_a_flow_is_the_share_of_its_jobs_that_ended(total, open_, share):
    assert FlowCounts(total, open_, total - open_, 0, 0).progress() == share
