"""What users may import, set, type in and expect back is what the pages say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

import penstock
from penstock import errors
from penstock.config import Settings
from penstock.worker import loop_watch, supervisor

ROOT = Path(__file__).parents[1]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

ENGINE = {"Penstock", "Worker", "Job", "JobData", "JobHandle", "JobTransaction", "Transaction", "begin_immediate"}
DECLARATIONS = {"Missed", "Priority", "Queue", "Rate", "Retention", "Schedule", "Secret", "Unique", "When"}
RETRY_POLICIES = {"Delays", "Exponential", "Fixed", "Named"}
WHAT_A_HANDLER_MAY_RAISE = {"Cancel", "Permanent", "Retry", "Snooze"}
VIEWS = {"Event", "FlowRef", "FlowView", "JobEnded", "JobState", "JobStatus", "JobView", "StreamPiece", "Update"}
ERRORS = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.PenstockError)}


def section(title: str) -> str:
    """The text of one section of docs/operations.md."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", OPERATIONS, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_public_names_are_sorted_and_each_is_there_once() -> None:
    assert penstock.__all__ == sorted(set(penstock.__all__))
    assert dir(penstock) == penstock.__all__


@pytest.mark.parametrize("name", penstock.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(penstock, name).__name__ == name


def test_the_public_names_are_these_and_no_others() -> None:
    groups = [ENGINE, DECLARATIONS, RETRY_POLICIES, WHAT_A_HANDLER_MAY_RAISE, VIEWS, ERRORS]
    assert set(penstock.__all__) == set().union(*groups)
    assert len(penstock.__all__) == sum(map(len, groups))


def test_an_unknown_name_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'penstock' has no attribute 'Broker'"):
        penstock.__getattr__("Broker")


def documented_settings() -> dict[str, str]:
    """The names and defaults of the settings table; a row may name several, with as many defaults."""
    found: dict[str, str] = {}
    for line in re.findall(r"^\| `.*$", section("Settings"), re.MULTILINE):
        names, defaults = [cell.strip() for cell in line.split("|")[1:3]]
        listed = re.findall(r"`(\w+)`", names)
        values = [value.strip().strip("`") for value in defaults.split(",")]
        found |= dict(zip(listed, values, strict=True))
    return found


def plainly(value: object) -> str:
    """A default as the page writes it: no decimals where there are none, a secret as it is."""
    if isinstance(value, pydantic.SecretStr):
        return value.get_secret_value()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_settings_table_names_every_setting_with_its_default() -> None:
    assert documented_settings() == {name: plainly(field.default) for name, field in Settings.model_fields.items()}


def test_the_exit_codes_table_names_what_a_worker_returns() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", section("Workers"), re.MULTILINE)}
    finished, given_back = supervisor.EXIT_FINISHED, supervisor.EXIT_GIVEN_BACK
    assert codes == {finished, given_back, loop_watch.EXIT_CODE, supervisor.EXIT_SECOND_SIGNAL}
    assert (finished, given_back, supervisor.EXIT_SECOND_SIGNAL) == (0, 1, 130)


def test_the_program_in_the_readme_runs_and_prints_the_result(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    whole, excerpt = blocks
    compile(excerpt, "README.md", "exec")
    program = tmp_path / "program.py"
    program.write_text(whole)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", program], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "Water turns the wheel.\n"), done.stderr
    assert (tmp_path / "work.db").exists()
