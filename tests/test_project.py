"""What the repository promises to somebody who has just cloned it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.lock", "requirements-dev.lock"]
TARGETS = ["help", "demo", "serve", "test", "lint", "bench", "bench-peers", "chaos", "simulate", "lock", "clean"]


def pins(lock: str) -> dict[str, str]:
    """The locked version (with marker) of each package by name."""
    lines = (ROOT / lock).read_text().splitlines()
    pairs = [line.removesuffix(" \\").split("==", 1) for line in lines if line and not line.startswith((" ", "#"))]
    return {name.split("[")[0]: version for name, version in pairs}


def normal(requirement: str) -> str:
    """The package's name in a requirement, as locks write it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_address_and_no_folder(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.findall(r"^.*(?:://|index-url|find-links| @ |file:).*$", text, re.MULTILINE)
    assert not [line for line in text.splitlines() if "/" in line]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_dev_lock_holds_the_runtime_lock() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_every_declared_requirement_is_locked() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = declared["project"], declared["dependency-groups"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    runtime = {normal(requirement) for requirement in [*project["dependencies"], *extras, *groups["build"]]}
    assert runtime - {"penstock"} <= pins("requirements.lock").keys()
    assert {normal(requirement) for requirement in groups["dev"]} <= pins("requirements-dev.lock").keys()


def test_there_is_no_uv_lock() -> None:
    assert not list(ROOT.glob("uv.lock"))


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_readme_names_the_two_commands(command: str) -> None:
    assert command in (ROOT / "README.md").read_text()


def test_make_without_a_target_lists_the_targets() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^make ([\w-]+) +\S", shown, re.MULTILINE)
    assert set(TARGETS) <= set(listed)
