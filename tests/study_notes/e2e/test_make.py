"""`python -m systems.study_notes make`, as somebody types it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from systems.study_notes.cli import app
from tests.study_notes.e2e.programs import ROOT, environment
from tests.study_notes.recordings import recording
from tests.study_notes.wires.media_wires import ELEVENLABS_KEY, MediaWires

SAMPLE = ROOT / "systems" / "study_notes" / "samples" / "water_mills.md"
LINK = "https://youtu.be/aqz-KE-bpKQ"
SPOKEN = [
    ("A weir is a low dam across a river that raises the water behind it.", 0, 4000),
    ("A turbine is a machine that turns the energy of moving water into rotation.", 4000, 4000),
    ("The penstock is the closed pipe that carries water from the intake down to the turbine.", 9000, 4000),
    ("The surge tank is an open shaft that takes up the water when the valve is closed suddenly.", 13000, 4000),
    ("Friction in a narrow pipe costs more energy than friction in a wide pipe.", 20000, 4000),
]

pytestmark = pytest.mark.timeout(120)


def make(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    own = {"DATABASE_URL": f"sqlite:///{folder}/n.db", "FILES_DIR": str(folder / "files"), "JOB_BACKOFF_MS": "0"}
    return subprocess.run(
        [sys.executable, "-m", "systems.study_notes", "make", *arguments],
        cwd=folder, env=environment(**own, **settings), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_a_document_is_printed_as_markdown_and_its_progress_beside(tmp_path: Path) -> None:
    done = make(tmp_path, str(SAMPLE), "--title", "On mills")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# On mills\n")
    assert "## Quiz" in done.stdout
    assert "## Flashcards" in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == " 10 %  Write the lesson: running"
    assert lines[-1].startswith("100 %")


def test_a_video_is_printed_as_json(tmp_path: Path, media: MediaWires) -> None:
    media.captions["aqz-KE-bpKQ", "en"] = SPOKEN
    done = make(tmp_path, LINK, "--json", "--language", "eng", YOUTUBE_CAPTIONS_BASE_URL=media.url)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["status"], made["note"]["source_type"], made["note"]["language_code"]) == (
        "COMPLETED",
        "YOUTUBE",
        "eng",
    )
    assert len(made["quiz"]) >= 3
    assert len(made["flashcards"]) >= 3
    assert "Fetch the captions: done" in done.stderr


def test_a_recording_whose_study_tools_fail_is_printed_all_the_same(tmp_path: Path, media: MediaWires) -> None:
    (tmp_path / "talk.bin").write_bytes(recording("ogg", [400, 700], 1.0))
    done = make(
        tmp_path, "talk.bin", ELEVENLABS_API_KEY=ELEVENLABS_KEY, ELEVENLABS_BASE_URL=f"{media.url}/elevenlabs",
        AUDIO_CHUNK_S="1",
    )  # fmt: skip
    assert done.returncode == 1
    assert "Tone 400." in done.stdout
    assert done.stderr.splitlines()[-1].startswith("study_notes: talk.bin: COMPLETED_WITH_ERRORS")


def test_what_fails_says_where_and_why(tmp_path: Path, media: MediaWires) -> None:
    done = make(tmp_path, LINK, "--json", YOUTUBE_CAPTIONS_BASE_URL=media.url)
    assert done.returncode == 1
    made = json.loads(done.stdout)
    assert (made["status"], made["stage"], made["note"]) == ("FAILED", "FETCHING_CAPTIONS", None)
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"study_notes: {LINK}: FAILED at FETCHING_CAPTIONS: the video has no captions")


@pytest.mark.parametrize(
    ("named", "content", "options", "told"),
    [
        ("https://example.org/x", None, (), "url: must be a link to a YouTube video"),
        ("nope.txt", None, (), "there is no such file"),
        (".", None, (), "is no ordinary file"),
        ("empty.txt", b"", (), "is empty"),
        ("a.docx", b"PK\x03\x04" + b"\0" * 50, (), "office document"),
        ("a.pdf", b"plain words", (), "is not a PDF"),
        ("a.txt", b"words", ("--language", "english"), "three-letter ISO 639-3 code"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
    content: bytes | None,
    options: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/n.db")
    monkeypatch.setattr("systems.study_notes.cli.configure_logs", lambda level: None)
    if content is not None:
        (tmp_path / named).write_bytes(content)
    done = CliRunner().invoke(app, ["make", named, *options])
    assert done.exit_code == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert named in done.stderr
    assert told in done.stderr


async def test_who_interrupts_gets_130_and_the_work_is_not_lost(tmp_path: Path, media: MediaWires) -> None:
    own = {"DATABASE_URL": f"sqlite:///{tmp_path}/n.db", "FILES_DIR": str(tmp_path / "files"), "SHUTDOWN_GRACE_MS": "0"}
    (tmp_path / "many.txt").write_text("The wheel turns the stone and grinds the grain. " * 20_000)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "systems.study_notes", "make", "many.txt", cwd=tmp_path, env=environment(**own),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert b"running" in await process.stderr.readline()
    os.kill(process.pid, signal.SIGINT)
    out, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130, said
    assert out == b""
    assert b"Traceback" not in said
