"""docs/guarantees.md names only tests that exist, and every promise has one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)


def test_every_test_named_in_the_guarantees_exists() -> None:
    files: dict[str, str] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        files[path.name] = files.get(path.name, "") + path.read_text()
    missing = [f"{file}::{name}" for file, name in NAMED if f"def {name}(" not in files.get(file, "")]
    assert not missing


def test_every_promise_has_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*", PAGE, flags=re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 13))
    assert all("`test_" in line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line))
