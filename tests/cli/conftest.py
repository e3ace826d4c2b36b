"""The program, over a database of the test's own."""

from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def penstock(sqlite_path: Path) -> Program:
    program = Program(f"sqlite:///{sqlite_path}")
    assert program("migrate").exit_code == 0
    return program
