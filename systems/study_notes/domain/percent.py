"""How far a source is, from 0 to 100."""

from systems.study_notes.domain.lifecycle import EXTRACTION_STAGES, SourceStatus, SourceType, Stage
from systems.study_notes.domain.records import VisualCounts

# Shares of the stages; together 100.
EXTRACTION = 10
ANALYSIS = 40
PLACEHOLDERS = 5
VISUALS = 20
ASSEMBLY = 10
STUDY_TOOLS = 15

_ANALYSED = EXTRACTION + ANALYSIS
_PLACED = _ANALYSED + PLACEHOLDERS
_PICTURED = _PLACED + VISUALS
_ASSEMBLED = _PICTURED + ASSEMBLY

_REACHED: dict[Stage, int] = {
    **dict.fromkeys(EXTRACTION_STAGES, 0),
    Stage.ANALYZING_TEXT: EXTRACTION,
    Stage.PENDING_VISUAL_PROCESSING: _ANALYSED,
    Stage.GENERATING_VISUALS: _PLACED,
    Stage.PENDING_ASSEMBLY: _PICTURED,
    Stage.ASSEMBLING_NOTE: _PICTURED,
    Stage.PENDING_STUDY_TOOLS: _ASSEMBLED,
    Stage.GENERATING_STUDY_TOOLS: _ASSEMBLED,
}


def percent(source_type: SourceType, status: SourceStatus, stage: Stage | None, visuals: VisualCounts) -> int:
    """Percent of a source: what the stages before `stage` are worth, and the finished share of the visuals.

    A text source has its extraction from the start. 100 is reached at COMPLETED alone; FAILED, CANCELLED and
    COMPLETED_WITH_ERRORS stay where their stage stands. As stages only go forward within a run, so does the percent.
    """
    if status is SourceStatus.COMPLETED:
        return 100
    if stage is None:
        return EXTRACTION if source_type is SourceType.TEXT else 0
    reached = _REACHED[stage]
    if stage is Stage.GENERATING_VISUALS:
        reached += VISUALS * visuals.finished // visuals.total if visuals.total else VISUALS
    return reached
