"""Bytes of a text file made into text, and the question whether they are text at all."""

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the other's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_CONTROL_BYTES = bytes(code for code in range(32) if code not in b"\t\n\f\r\x1b")
# Text in old single-byte encodings has next to no control bytes; compressed or machine data has about one in ten.
_MAX_CONTROL_SHARE = 0.01
_HEADING_SIGNS = re.compile(r"#{1,6}\s")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)


class NotText(ValueError):
    """The bytes are no text in any encoding known here."""


def decode(data: bytes) -> str:
    """The text, line ends as `\\n`, control signs dropped. UTF-8, or what the byte order mark says, else the encoding
    an HTML page declares, else Latin-1 (Windows' reading of it where its extra signs occur).

    Raises `NotText` for binary data.
    """
    text = _marked(data)
    if text is None:
        if is_binary(data):
            raise NotText("binary data")
        text = _unmarked(data)
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n"))


def is_binary(data: bytes) -> bool:
    """Whether data without a byte order mark holds zero bytes or more control bytes than any text has."""
    if any(data.startswith(mark) for mark, _ in _BOMS):
        return False
    controls = len(data) - len(data.translate(None, _CONTROL_BYTES))
    return b"\0" in data or controls > _MAX_CONTROL_SHARE * len(data)


def not_a_heading(text: str) -> str:
    """A paragraph that begins like a Markdown heading, with a backslash before it so that it is none."""
    return f"\\{text}" if _HEADING_SIGNS.match(text) else text


def _marked(data: bytes) -> str | None:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise NotText(f"not valid {encoding.upper()} though it begins like it") from error
    return None


def _unmarked(data: bytes) -> str:
    for encoding in ("utf-8", _declared(data), "cp1252"):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):  # LookupError: a codec, but not one of texts
            continue
    return data.decode("latin-1")


def _declared(data: bytes) -> str:
    match = _META_CHARSET.search(data[:4096])
    name = match.group(1).decode("ascii").lower() if match else "utf-8"
    # A declaration that can be read as ASCII cannot be true of UTF-16, and UTF-7 is not to be trusted anywhere.
    return "utf-8" if name.startswith("utf") else name
