"""The program as such: help, errors, exit codes, what it imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli import app
from penstock.sealing import Keyring
from tests.cli.program import Program

COMMANDS = [
    ["worker"], ["workers"], ["migrate"], ["doctor"], ["bench"], ["secrets", "new-key"],
    ["jobs", "list"], ["jobs", "show"], ["jobs", "why"], ["jobs", "retry"], ["jobs", "cancel"], ["jobs", "move"],
    ["flows", "list"], ["flows", "show"], ["flows", "cancel"], ["flows", "retry"],
    ["queues", "list"], ["queues", "pause"], ["queues", "resume"],
    ["schedules", "list"], ["schedules", "pause"], ["schedules", "resume"],
]  # fmt: skip


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_every_command_explains_itself_with_examples(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage: penstock" in done.stdout
    assert "Examples:\n    penstock" in done.stdout


@pytest.mark.parametrize("group", ["jobs", "flows", "queues", "schedules", "secrets"])
def test_a_group_without_a_command_shows_its_help(group: str) -> None:
    done = CliRunner().invoke(app, [group])
    assert done.exit_code == 0
    assert "Commands:" in done.stdout


def test_every_command_but_worker_answers_json() -> None:
    for command in COMMANDS[1:]:
        assert "--json" in CliRunner().invoke(app, [*command, "--help"]).stdout, command


def test_an_unknown_command_exits_2_with_one_line() -> None:
    done = CliRunner().invoke(app, ["job"])
    assert done.exit_code == 2
    assert done.stderr == "penstock: No such command 'job'. Did you mean 'jobs'?; see penstock --help\n"


def test_a_missing_database_file_is_not_created(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--database", f"sqlite:///{tmp_path}/typo.db", "jobs", "list"])
    assert done.exit_code == 1
    assert f"penstock: there is no database file {tmp_path}/typo.db: name another with --database" in done.stderr
    assert not (tmp_path / "typo.db").exists()


def test_a_wrong_setting_is_one_line_on_stderr() -> None:
    done = CliRunner(env={"PENSTOCK_LEASE_S": "soon"}).invoke(app, ["jobs", "list"])
    assert done.exit_code == 1
    assert done.stderr.startswith("penstock: lease_s (PENSTOCK_LEASE_S): ")
    assert done.stderr.count("\n") == 1


def test_an_unknown_kind_of_database_is_refused() -> None:
    done = CliRunner().invoke(app, ["--database", "mysql://x", "jobs", "list"])
    assert (done.exit_code, done.stderr) == (
        1,
        "penstock: database url must begin with sqlite:/// or postgresql://, not 'mysql'\n",
    )


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--debug", "--database", f"sqlite:///{tmp_path}/typo.db", "jobs", "list"])
    assert type(done.exception).__name__ == "NotFound"


def test_the_database_may_come_from_the_environment(penstock: Program) -> None:
    done = CliRunner(env={"PENSTOCK_DATABASE_URL": penstock.url}).invoke(app, ["jobs", "list", "--json"])
    assert (done.exit_code, done.stdout) == (0, "[]\n")


def test_migrate_creates_the_schema_once(tmp_path: Path) -> None:
    program = Program(f"sqlite:///{tmp_path}/new.db")
    assert program.json("migrate")["applied"]
    assert program.json("migrate")["applied"] == []
    assert program("migrate").stdout == "the schema is up to date\n"


def test_a_new_key_is_one_that_seals() -> None:
    done = CliRunner().invoke(app, ["secrets", "new-key", "--id", "2026-11"])
    ring = Keyring(done.stdout.strip())
    assert ring.open(ring.seal("word", "job", "field"), "job", "field") == "word"
    refused = CliRunner().invoke(app, ["secrets", "new-key", "--id", "a b"])
    assert refused.exit_code == 2


def test_postgres_is_asked_the_same_way(postgres_url: str) -> None:
    program = Program(postgres_url)
    refused = program("jobs", "list")
    assert refused.exit_code == 1
    assert "penstock migrate" in refused.stderr
    assert program.json("migrate")["applied"]
    assert program.json("jobs", "list") == []


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_program_imports_nothing_heavy_to_show_its_help() -> None:
    code = """
import sys
import penstock
known = set(sys.modules)
import penstock.cli
from typer.testing import CliRunner
CliRunner().invoke(penstock.cli.app, ["--help"])
print(sorted({name.partition(".")[0] for name in set(sys.modules) - known}))
"""
    loaded = run_python(code)
    for heavy in ("rich", "pydantic", "asyncio", "sqlite3", "psycopg", "structlog", "orjson", "uvloop", "httpx2"):
        assert f"'{heavy}'" not in loaded


def test_python_dash_m_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "--help"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.startswith("Usage: penstock ")


def test_a_reader_that_goes_away_is_no_error(penstock: Program) -> None:
    command = [sys.executable, "-m", "penstock", "--database", penstock.url, "workers"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(30)
