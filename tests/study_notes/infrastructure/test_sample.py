import re
from pathlib import Path

from systems.study_notes.infrastructure.documents import document_text

WATER_MILLS = Path(__file__).parents[3] / "systems" / "study_notes" / "samples" / "water_mills.md"


def test_the_sample_is_a_long_document_with_several_headings() -> None:
    text = document_text(WATER_MILLS.read_bytes(), WATER_MILLS.name)
    assert len(text.split()) >= 2_200
    assert len(re.findall(r"^## ", text, re.MULTILINE)) >= 8
    assert text.count("\n- ") >= 5
