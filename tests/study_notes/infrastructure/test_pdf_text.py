import io
from collections.abc import Callable, Sequence

import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.infrastructure.documents import pdf_text

STYLES = getSampleStyleSheet()
HEAD = "The head of water is the vertical distance through which the water falls before it leaves the wheel. "
FLOW = "The flow is the volume that passes each second, and it is measured in cubic metres by most engineers. "


def drawn(draw: Callable[[Canvas], None], **options: object) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, **options)
    draw(canvas)
    canvas.save()
    return buffer.getvalue()


def lines(canvas: Canvas, texts: Sequence[str], top: int = 760) -> None:
    for index, text in enumerate(texts):
        canvas.drawString(72, top - 14 * index, text)


def flowing(*parts: object) -> bytes:
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4).build(list(parts))
    return buffer.getvalue()


def test_headings_paragraphs_and_lists_come_back_as_such() -> None:
    items = [Paragraph(item, STYLES["Bullet"], bulletText="\u2022") for item in ("the wheel", "the flume")]
    data = flowing(
        Paragraph("Water Mills", STYLES["Title"]),
        Paragraph(HEAD * 4, STYLES["BodyText"]),
        Paragraph(FLOW * 4, STYLES["BodyText"]),
        Paragraph("Parts of a mill", STYLES["Heading2"]),
        Paragraph("There are two parts that matter most.", STYLES["BodyText"]),
        *items,
    )
    assert pdf_text(data).split("\n\n") == [
        "# Water Mills",
        (HEAD * 4).strip(),
        (FLOW * 4).strip(),
        "## Parts of a mill",
        "There are two parts that matter most.",
        "- the wheel",
        "- the flume",
    ]


def test_numbered_lines_stay_apart() -> None:
    data = drawn(
        lambda canvas: lines(canvas, ["To start the mill:", "1. open the gate", "2. wait until the", "wheel turns"])
    )
    assert pdf_text(data) == "To start the mill:\n\n1. open the gate\n\n2. wait until the wheel turns"


def test_a_title_that_differs_by_its_number_is_no_running_line() -> None:
    def pages(canvas: Canvas) -> None:
        for number in range(1, 6):
            canvas.setFont("Helvetica", 20)
            canvas.drawString(72, 800, f"Exercise {number}")
            canvas.setFont("Helvetica", 11)
            lines(canvas, ["Find the power of the wheel.", "Use the table."], top=700)
            canvas.showPage()

    assert pdf_text(drawn(pages)).count("# Exercise") == 5


def test_a_word_broken_at_the_end_of_a_line_is_whole_again() -> None:
    data = drawn(lambda canvas: lines(canvas, ["The gate holds back the head of wa-", "ter and lets some through."]))
    assert pdf_text(data) == "The gate holds back the head of water and lets some through."


def test_a_hyphen_stays_where_the_document_writes_the_word_with_one() -> None:
    data = drawn(
        lambda canvas: lines(
            canvas, ["A water-powered mill is an old machine, and a water-", "powered saw is younger."]
        )
    )
    assert pdf_text(data) == "A water-powered mill is an old machine, and a water-powered saw is younger."


def test_a_paragraph_goes_on_over_the_end_of_a_page_and_page_numbers_are_left_out() -> None:
    def pages(canvas: Canvas) -> None:
        for number, texts in enumerate(
            [["The water turns the", "great wheel and then"], ["leaves by the tail race.", "End."]], 1
        ):
            lines(canvas, texts)
            canvas.drawString(290, 40, str(number))
            canvas.showPage()

    assert pdf_text(drawn(pages)) == "The water turns the great wheel and then leaves by the tail race. End."


def test_a_line_repeated_on_every_page_is_left_out() -> None:
    parts: list[object] = []
    for number in range(4):
        parts += [Paragraph(f"Chapter text {'abcd'[number]}. {HEAD * 2}", STYLES["BodyText"]), PageBreak()]

    def banner(canvas: Canvas, _document: object) -> None:
        canvas.drawString(72, 820, f"Journal of mills, page {canvas.getPageNumber()}")

    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4).build(parts, onFirstPage=banner, onLaterPages=banner)
    text = pdf_text(buffer.getvalue())
    assert "Journal" not in text
    assert [f"Chapter text {letter}." in text for letter in "abcd"] == [True] * 4


def test_tables_of_contents_are_left_out() -> None:
    texts = ["1 Wheels . . . . . . . . . . 12", "Preface........ iv", "The text begins... here."]
    assert pdf_text(drawn(lambda canvas: lines(canvas, texts))) == "The text begins... here."


def test_a_line_that_begins_with_a_hash_is_no_heading() -> None:
    assert pdf_text(drawn(lambda canvas: lines(canvas, ["# made by a program"]))) == "\\# made by a program"


def test_letters_beyond_ascii_are_kept() -> None:
    assert pdf_text(drawn(lambda canvas: lines(canvas, ["Où est la fenêtre? Über Mühlräder."]))) == (
        "Où est la fenêtre? Über Mühlräder."
    )


@pytest.mark.parametrize("password", ["secret"])
def test_an_encrypted_pdf_is_refused_by_that_word(password: str) -> None:
    data = drawn(lambda canvas: lines(canvas, ["hidden"]), encrypt=password)
    with pytest.raises(PermanentSourceError, match="encrypted"):
        pdf_text(data)


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnothing more", b"%PDF-1.4\n" + b"\xff" * 5000])
def test_a_damaged_pdf_is_refused_by_that_word(data: bytes) -> None:
    with pytest.raises(PermanentSourceError, match="damaged"):
        pdf_text(data)


def test_a_pdf_of_pictures_has_no_text() -> None:
    picture = ImageReader(Image.new("RGB", (40, 40), "blue"))
    assert pdf_text(drawn(lambda canvas: canvas.drawImage(picture, 100, 100))) == ""


def test_a_pdf_without_content_has_no_text() -> None:
    assert pdf_text(drawn(lambda canvas: canvas.showPage())) == ""


def test_many_pages_keep_their_order() -> None:
    def pages(canvas: Canvas) -> None:
        for number in range(120):
            lines(canvas, [f"This is section number {number:03d} of the book.", "It says little."])
            canvas.showPage()

    text = pdf_text(drawn(pages))
    found = [text.index(f"number {number:03d} of") for number in range(120)]
    assert found == sorted(found)
