"""docs/lifecycle.md says what the table of transitions says, and the SQL changes states at its places alone."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from penstock.domain.states import TRANSITIONS, JobState, Way
from penstock.store import statements
from tools import lifecycle

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "src" / "penstock" / "store" / "programs"
DIALECTS = ["postgres", "sqlite"]
REVIVALS = {Way.REVIVE, Way.REVIVE_BLOCKED}
ENQUEUES = {Way.ENQUEUE_BLOCKED, Way.ENQUEUE_SCHEDULED, Way.ENQUEUE_READY}
SETTLEMENTS = {Way.COMPLETE, Way.FAIL, Way.RETRY_LATER, Way.RETRY_NOW, Way.SNOOZE, Way.RELEASE, Way.STOP}

WRITERS = {
    "insert_jobs": ENQUEUES,
    "insert_alike": ENQUEUES,
    "insert_one": ENQUEUES,
    "unblock": {Way.UNBLOCK, Way.UNBLOCK_LATER},
    "end_unmet": {Way.UNMET},
    "fall_due": {Way.FALL_DUE},
    "wake_signalled": {Way.SIGNAL},
    "wake_budgeted": {Way.BUDGET},
    "move_waiting": {Way.RESCHEDULE},
    "replace_waiting": {Way.DEBOUNCE},
    "claim": {Way.CLAIM},
    "park": {Way.PARK},
    "unpark": {Way.UNPARK},
    "settle": SETTLEMENTS,
    "complete": {Way.COMPLETE},
    "complete_plain": {Way.COMPLETE},
    "cancel_waiting": {Way.CANCEL},
    "expire_waiting": {Way.EXPIRE},
    "revive": REVIVALS,
}
"""The statements that write a state, and the ways they may lead along."""

PARTS = {"insert": "enqueue", "ties": "enqueue"}
"""Modules that are a part of a place: the enqueue is too large for one file."""


def write_of_state(statement: str) -> str | None:
    """The text from where this statement writes the state of jobs, None if it does not."""
    text = re.sub(r"--[^\n]*", "", statement)
    for found in re.finditer(r"\b(UPDATE|INTO)\s+penstock[._]jobs\b", text):
        # An UPDATE's assignments reach to its WHERE; a comparison there follows WHERE, AND or OR, never SET or a comma.
        rest = text[found.start() :]
        if found[1] == "INTO" or re.search(r"(?:\bSET|,)\s*state\s*=", rest):
            return rest
    return None


def state_writers(dialect: str) -> dict[str, str]:
    """The statements that write a state, each from where it does."""
    loaded = statements.load(f"penstock.store.{dialect}.sql")
    found = {name: write_of_state(text) for name, text in loaded.items()}
    return {name: text for name, text in found.items() if text is not None}


def places_of(statement: str) -> set[str]:
    """The places whose module, or a part of it, calls this statement."""
    callers = {path.stem for path in PROGRAMS.glob("*.py") if f'Call("{statement}"' in path.read_text()}
    return {PARTS.get(caller, caller) for caller in callers}


def test_the_page_is_what_the_table_of_transitions_says() -> None:
    assert lifecycle.PAGE.read_text() == lifecycle.page(), f"run {lifecycle.COMMAND}"


def test_the_tool_notices_a_stale_page_and_writes_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifecycle, "PAGE", tmp_path / "lifecycle.md")
    assert lifecycle.main(["--check"]) == 1
    assert lifecycle.COMMAND in capsys.readouterr().err
    assert not lifecycle.PAGE.exists()
    assert lifecycle.main([]) == 0
    assert lifecycle.main(["--check"]) == 0


def test_the_page_shows_every_state_every_way_and_every_step_between_states() -> None:
    text = lifecycle.PAGE.read_text()
    assert lifecycle.STATES.keys() == set(JobState)
    assert all(f"| `{way}` | " in text for way in Way)
    drawn = re.findall(r"^    (\S+) --> (\w+): (.+)$", text, re.MULTILINE)
    steps = {(source, target, way) for source, target, ways in drawn for way in ways.split(" / ")}
    assert steps == {(one.source or "[*]", one.target, one.way) for one in TRANSITIONS}


@pytest.mark.parametrize("place", sorted({one.place for one in TRANSITIONS}))
def test_every_place_is_a_module_of_the_programs(place: str) -> None:
    assert find_spec(f"penstock.store.{place}") is not None
    assert f"src/penstock/store/{place.replace('.', '/')}.py" in lifecycle.PAGE.read_text()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_other_statement_writes_a_state(dialect: str) -> None:
    assert state_writers(dialect).keys() == WRITERS.keys()
    assert set().union(*WRITERS.values()) == set(Way)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_statement_that_spells_the_state_out_spells_its_ways_target(dialect: str) -> None:
    for name, text in state_writers(dialect).items():
        legal = {one.target for one in TRANSITIONS if one.way in WRITERS[name]}
        spelt = re.findall(r"(?:\bSET|,)\s*state\s*=\s*'(\w+)'", text)
        assert set(spelt) <= legal, name


@pytest.mark.parametrize("statement", sorted(WRITERS))
def test_a_state_is_written_only_from_its_place(statement: str) -> None:
    named = {one.place.removeprefix("programs.") for one in TRANSITIONS if one.way in WRITERS[statement]}
    assert places_of(statement) == named


def test_a_part_of_a_place_is_used_by_it() -> None:
    for part, place in PARTS.items():
        users = {path.stem for path in PROGRAMS.glob("*.py") if f"programs.{part} import" in path.read_text()}
        assert place in {PARTS.get(user, user) for user in users}


def test_no_code_outside_the_statements_writes_jobs() -> None:
    written = re.compile(r"\b(?:UPDATE|INTO)\s+penstock[._]jobs\b", re.IGNORECASE)
    folders = [ROOT / "src", ROOT / "systems"]
    found = [path for folder in folders for path in folder.rglob("*.py") if written.search(path.read_text())]
    assert found == []
    upgrades = (ROOT / "src").rglob("migrations/*.sql")
    assert [path for path in upgrades if written.search(path.read_text())] == []
