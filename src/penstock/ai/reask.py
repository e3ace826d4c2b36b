"""Asking again, with what was wrong."""

from dataclasses import replace

from penstock.ai.request import AnyRequest

_SHOWN_CHARS = 12_000


def asked_again(request: AnyRequest, answer: str, problem: str) -> AnyRequest:
    """The request once more, with the answer that could not be used and why, after its own prompt."""
    shown = answer if len(answer) <= _SHOWN_CHARS else f"{answer[:_SHOWN_CHARS]}\n(cut off here)"
    told = (
        f"You have answered this before:\n<previous_answer>\n{shown}\n</previous_answer>\n"
        f"That answer cannot be used: {problem}\n"
        "Answer again, whole and corrected, with nothing before or after it."
    )
    return replace(request, prompt=(*request.parts, told))
