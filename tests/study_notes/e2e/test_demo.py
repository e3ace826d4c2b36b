"""`make demo`, as somebody runs it who has just cloned the repository."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from systems.study_notes.cli import app
from tests.study_notes.e2e.programs import ROOT, environment
from tests.study_notes.flow.pdfs import scanned_pdf, text_pdf

SAMPLE = ROOT / "systems" / "study_notes" / "samples" / "water_mills.md"
PARAGRAPHS = [
    "A weir is a low dam across a river that raises the water behind it.",
    "A turbine is a machine that turns the energy of moving water into rotation.",
    "The penstock is the closed pipe that carries water from the intake down to the turbine.",
    "Because the head of the water grows with the height of the dam, the pressure in the pipe grows as well.",
    "The surge tank is an open shaft that takes up the water when the valve is closed suddenly.",
    "In 1827 Benoit Fourneyron built the first practical turbine, which delivered about 6 horsepower.",
    "Friction in a narrow pipe costs more energy than friction in a wide pipe.",
]


def run_demo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "systems.study_notes", "demo", *arguments],
        cwd=cwd, env=environment(), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def assert_good(done: subprocess.CompletedProcess[str], folder: Path, name: str) -> None:
    """Exit code, what was said, and the four files."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "100 %" in done.stdout
    assert "Made by the offline model" in done.stdout
    assert "a first worker was killed (kill -9)" in done.stdout
    assert re.search(r"The killed worker had made 1 of them, of [\d,]+ tokens .*: not paid for again", done.stdout)
    for line in ("Write the lesson", "Assemble the note", "Make quiz and cards", "from start to end"):
        assert re.search(rf"{line}.*\d+\.\d\d", done.stdout), line
    quiz = json.loads((folder / f"{name}.quiz.json").read_text())
    cards = json.loads((folder / f"{name}.flashcards.json").read_text())
    assert f"{len(quiz)} quiz questions, {len(cards)} flashcards" in done.stdout
    assert len(quiz) >= 3
    assert len(cards) >= 3
    for suffix in ("html", "md", "quiz.json", "flashcards.json"):
        assert f"{name}.{suffix}" in done.stdout


@pytest.mark.timeout(120)
def test_make_demo_makes_notes_of_the_document_that_ships(tmp_path: Path) -> None:
    # The set-up has happened, or this test would not run: `-o` takes it as done.
    done = subprocess.run(
        ["make", "--no-print-directory", "-o", "runtime", "demo"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    output = ROOT / "data" / "demo"
    assert_good(done, output, "water_mills")
    page = (output / "water_mills.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 8
    assert "/api/visuals" not in page
    assert "<script" not in page
    assert page.count('<details class="card">') == len(json.loads((output / "water_mills.flashcards.json").read_text()))
    markdown = (output / "water_mills.md").read_text()
    linked = re.findall(r"!\[[^\]]*\]\((water_mills\.pictures/[^)]+)\)", markdown)
    assert len(linked) == 8
    assert all((output / path).read_text().startswith("<svg") for path in linked)
    assert "Answers: 1 " in markdown
    assert "<h2>Flashcards</h2>" in MarkdownIt("commonmark").render(markdown)


@pytest.mark.parametrize("suffix", ["txt", "html", "pdf"])
def test_a_text_a_page_and_a_pdf_of_ones_own_become_notes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"My dams & mills.{suffix}"
    if suffix == "pdf":
        path.write_bytes(text_pdf(*PARAGRAPHS))
    elif suffix == "html":
        body = "".join(f"<p>{text}</p>" for text in PARAGRAPHS)
        path.write_text(f"<html><body><h1>Dams</h1>{body}<script>alert(1)</script></body></html>")
    else:
        path.write_text("\n\n".join(PARAGRAPHS))
    done = run_demo(str(path), cwd=tmp_path)
    assert_good(done, tmp_path / "data" / "demo", "My-dams-mills")
    assert ("Read the PDF" in done.stdout) is (suffix == "pdf")
    assert "alert(1)" not in (tmp_path / "data" / "demo" / "My-dams-mills.html").read_text()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.txt", None, "there is no such file"),
        ("empty.md", b"", "the file is empty"),
        ("blank.txt", b" \n\n ", "the file is empty"),
        ("wordless.md", b"--- ... !!!", "the file has no words"),
        ("noise.dat", bytes(range(256)) * 20, "the file is binary"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "the file is a PNG image"),
        ("report.docx", b"PK\x03\x04" + b"\0" * 50, "office document"),
        ("locked.pdf", text_pdf("secret", password="key"), "the PDF is encrypted"),
        ("torn.pdf", text_pdf(*PARAGRAPHS)[:500], "the PDF is damaged"),
        ("none.pdf", b"I am text", "the PDF is damaged"),
        ("scan.pdf", scanned_pdf(), "the PDF has no text layer"),
        (".", None, "is a folder"),
    ],
)
def test_a_bad_file_gets_one_clear_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    # The tests' own log handlers stay.
    monkeypatch.setattr("systems.study_notes.cli.configure_logs", lambda level: None)
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = CliRunner().invoke(app, ["demo", str(path)])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr
    assert reason in done.stderr
    assert not (tmp_path / "data").exists()


def test_make_demo_passes_a_bad_file_on_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / 'no "such" $(touch evil) file.txt'
    done = subprocess.run(
        ["make", "--no-print-directory", "-o", "runtime", "demo", f"FILE={str(path).replace('$', '$$')}"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"study_notes: {path}: there is no such file" in done.stderr
    assert not (ROOT / "evil").exists()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WORKER_CONCURRENCY", "none", "WORKER_CONCURRENCY"),
        ("AI_PROVIDER_CHAIN", "google", "AI_PROVIDER_CHAIN=offline"),
        ("IMAGE_PROVIDER", "serper", "SERPER_KEY"),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setattr("systems.study_notes.cli.configure_logs", lambda: None)
    monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["worker"])
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
