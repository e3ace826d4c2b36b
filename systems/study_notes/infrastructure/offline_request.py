"""Reading the parts of a prompt that the offline tasks need."""

import re

_OPEN = "<source_text>"
_CLOSE = "</source_text>"
_LANGUAGE = re.compile(r"^Language:\s*([A-Za-z]{3})\b", re.MULTILINE)


def source_text(prompt: str) -> str:
    """The text in the prompt's data block, from its first opening to its last closing tag, unescaped.

    A prompt without such a block is itself the text.
    """
    start = prompt.find(_OPEN)
    end = prompt.rfind(_CLOSE)
    if start < 0 or end < start:
        return prompt.strip()
    return prompt[start + len(_OPEN) : end].strip("\n").replace("<\\/source_text", "</source_text")


def requested_language(prompt: str) -> str | None:
    """The ISO 639-3 code in the line `Language: xxx` before the data block, or None."""
    match = _LANGUAGE.search(prompt.partition(_OPEN)[0])
    return match.group(1).lower() if match else None
