"""docs/acceptance.md says which tests hold which point, and every point has one."""

from pathlib import Path

import pytest

from tools import acceptance
from tools.acceptance import STUDY_NOTES, SYSTEMS, System


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.mark)
def test_every_point_has_a_test(system: System) -> None:
    assert acceptance.missing(system) == []


def test_the_page_is_what_the_tests_say() -> None:
    assert acceptance.PAGE.read_text() == acceptance.page(), f"run {acceptance.COMMAND}"


def test_the_tool_notices_a_stale_page_and_writes_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(acceptance, "PAGE", tmp_path / "acceptance.md")
    assert acceptance.main(["--check"]) == 1
    assert acceptance.COMMAND in capsys.readouterr().err
    assert acceptance.main([]) == 0
    assert acceptance.main(["--check"]) == 0


def test_a_point_without_a_test_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    more = System("Study notes", "study_notes", "sn", {**STUDY_NOTES.points, 26: "More."})
    monkeypatch.setattr(acceptance, "SYSTEMS", (more,))
    assert acceptance.missing(more) == [26]
    assert f"| 26 | More. | {acceptance.NO_TEST} |" in acceptance.page()


def test_a_test_of_a_point_that_is_none_is_told() -> None:
    fewer = System("Study notes", "study_notes", "sn", {1: "First."})
    with pytest.raises(ValueError, match="Study notes has no point"):
        acceptance.tests_of(fewer)


def test_tests_that_run_on_both_stores_are_marked() -> None:
    marked = {test.name: test.on_both_stores for tests in acceptance.tests_of(STUDY_NOTES).values() for test in tests}
    assert marked["test_sn_06_killed_around_the_fan_out_nothing_is_lost_or_doubled"]
    assert not marked["test_sn_07_a_careless_answer_still_gives_a_complete_note"]
