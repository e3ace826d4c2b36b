"""Small PDFs of every kind that matters."""

import io

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas


def text_pdf(*lines: str, password: str | None = None) -> bytes:
    """A PDF of one page with a text layer, encrypted when a password is given."""
    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption(password) if password else None)
    for number, line in enumerate(lines):
        canvas.drawString(72, 720 - 16 * number, line)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def scanned_pdf() -> bytes:
    """A PDF whose page is drawn, without any text."""
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.rect(100, 100, 200, 300, fill=1)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def mixed_pdf(*pages: str | None) -> bytes:
    """A PDF with a page for each text, and a drawn one without text for each None."""
    out = io.BytesIO()
    canvas = Canvas(out)
    for text in pages:
        if text is None:
            canvas.rect(100, 100, 200, 300, fill=1)
        else:
            canvas.drawString(72, 720, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()
