"""What importing the package, and asking the program for help, does not load: each costs every start its time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DRIVERS = ["psycopg", "psycopg_pool", "sqlite3", "_sqlite3", "aiosqlite"]
FRAMEWORKS = ["fastapi", "openai", "pydantic_ai", "sqlalchemy", "starlette", "uvicorn"]
ENGINE = ["penstock.app", "penstock.worker", "penstock.store.sqlite", "penstock.store.postgres"]

STARTS = {
    "import penstock": "import penstock",
    "penstock --help": """
import penstock.cli
sys.argv = ["penstock", "--help"]
try:
    penstock.cli.main()
except SystemExit as end:
    assert end.code == 0
""",
    "a module of producers": """
from penstock import Exponential, JobData, Priority, Queue, Secret
class Greet(JobData, kind="greet", retry=Exponential()):
    name: str
""",
}


def loaded_by(code: str, folder: Path) -> set[str]:
    """The modules a fresh interpreter has loaded after this code, which finds `sys` imported."""
    listing = folder / "modules.json"
    told = "\nimport json, pathlib\npathlib.Path(sys.argv[-1]).write_text(json.dumps(list(sys.modules)))\n"
    program = f"import sys\nlisting = sys.argv[-1]\n{code}\nsys.argv = [listing]{told}"
    subprocess.run([sys.executable, "-c", program, listing], cwd=folder, capture_output=True, text=True, check=True)
    return set(json.loads(listing.read_text()))


@pytest.mark.parametrize("start", STARTS)
def test_a_start_loads_no_driver_no_framework_and_not_the_engine(start: str, tmp_path: Path) -> None:
    loaded = loaded_by(STARTS[start], tmp_path)
    assert "penstock" in loaded
    assert loaded.isdisjoint([*DRIVERS, *FRAMEWORKS, *ENGINE])


def test_every_public_name_is_there_without_the_optional_libraries(tmp_path: Path) -> None:
    loaded = loaded_by("from penstock import *\nPenstock('sqlite:///work.db')", tmp_path)
    assert "penstock.worker" in loaded
    assert loaded.isdisjoint(["psycopg", "psycopg_pool", "aiosqlite", "uvloop", "watchfiles", *FRAMEWORKS])
