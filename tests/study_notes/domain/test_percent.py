"""How far a source is."""

from hypothesis import given
from hypothesis import strategies as st

from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage
from systems.study_notes.domain.percent import percent
from systems.study_notes.domain.records import VisualCounts

NONE = VisualCounts()
PROCESSING = SourceStatus.PROCESSING


def test_three_of_six_visuals_of_a_text_source_are_65():
    counts = VisualCounts(total=6, finished=3, failed=1)
    assert percent(SourceType.TEXT, PROCESSING, Stage.GENERATING_VISUALS, counts) == 65


def test_each_stage_adds_its_share():
    expected = {
        Stage.PDF_DOWNLOADING: 0,
        Stage.ANALYZING_TEXT: 10,
        Stage.PENDING_VISUAL_PROCESSING: 50,
        Stage.GENERATING_VISUALS: 55,
        Stage.PENDING_ASSEMBLY: 75,
        Stage.ASSEMBLING_NOTE: 75,
        Stage.PENDING_STUDY_TOOLS: 85,
        Stage.GENERATING_STUDY_TOOLS: 85,
    }
    counts = VisualCounts(total=4)
    assert {stage: percent(SourceType.PDF, PROCESSING, stage, counts) for stage in expected} == expected


def test_a_text_source_has_its_extraction_at_once():
    assert percent(SourceType.TEXT, SourceStatus.PENDING, None, NONE) == 10
    assert percent(SourceType.PDF, SourceStatus.PENDING, None, NONE) == 0


def test_100_only_when_completed():
    assert percent(SourceType.TEXT, SourceStatus.COMPLETED, None, NONE) == 100
    last = Stage.GENERATING_STUDY_TOOLS
    assert percent(SourceType.TEXT, SourceStatus.COMPLETED_WITH_ERRORS, last, NONE) == 85
    for status in SourceStatus:
        if status is not SourceStatus.COMPLETED:
            assert all(percent(kind, status, stage, VisualCounts(5, 5)) <= 99 for kind in SourceType for stage in Stage)


@given(
    kind=st.sampled_from(SourceType),
    total=st.integers(0, 60),
    stages=st.lists(st.sampled_from(Stage), min_size=1).map(lambda found: sorted(found, key=lambda stage: stage.rank)),
    data=st.data(),
)
def test_percent_never_falls_along_a_run(kind, total, stages, data):
    finished, seen = 0, [percent(kind, SourceStatus.PENDING, None, NONE)]
    for stage in stages:
        if kind is SourceType.TEXT and stage.rank < Stage.ANALYZING_TEXT.rank:
            continue
        if stage is Stage.GENERATING_VISUALS:
            finished = data.draw(st.integers(finished, total))
        placed = total if stage.rank >= Stage.GENERATING_VISUALS.rank else 0
        seen.append(percent(kind, PROCESSING, stage, VisualCounts(placed, min(finished, placed))))
    seen.append(percent(kind, SourceStatus.COMPLETED, None, VisualCounts(total, finished)))
    assert seen == sorted(seen)
