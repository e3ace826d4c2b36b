"""The short explanation of a task: how a model is asked for it, and what is kept of the answer."""

import re

from penstock.ai import ModelRequest
from systems.learning_plans.application.curation_ports import CurationTask
from systems.learning_plans.application.data_block import DataBlock

TASK = "micro_explanation"
TEMPERATURE = 0.4
MAX_OUTPUT_TOKENS = 200
TIMEOUT_S = 20.0

# 200 tokens are some 800 characters; more than this is no short explanation.
MAX_CHARS = 1_500
_MAX_DESCRIPTION_CHARS = 1_000

_DATA = DataBlock("task_data")

INSTRUCTIONS = f"""Task: {TASK}
You help somebody who learns by a plan. Explain the task in the data block in two or three sentences, for the named
level: what it is about and why it comes at this point. You may add one short exercise as a last sentence that begins
with "Exercise:". Answer with plain text only: no Markdown, no HTML, no links, no headings.
{_DATA.warning}"""

_FENCE = re.compile(r"^```\w*\s*|\s*```$")
_BLANKS = re.compile(r"\s+")


def explanation_request(topic: str, skill_level: str, task: CurationTask) -> ModelRequest:
    """The request for one task's explanation."""
    data = {
        "topic": topic,
        "skill_level": skill_level,
        "task": task.title,
        "description": task.description[:_MAX_DESCRIPTION_CHARS],
    }
    return ModelRequest(
        instructions=INSTRUCTIONS,
        prompt=_DATA.written(data),
        temperature=TEMPERATURE,
        max_output_tokens=MAX_OUTPUT_TOKENS,
        timeout_s=TIMEOUT_S,
    )


def task_data(prompt: str) -> dict[str, str]:
    """What a prompt of `explanation_request` tells; empty when it has no such block."""
    return {name: value for name, value in _DATA.read(prompt).items() if isinstance(value, str)}


def plain_text(answer: str) -> str | None:
    """A model's answer as one paragraph of printable text of bounded length; None when nothing is left of it."""
    unfenced = _FENCE.sub("", answer.strip())
    spaced = _BLANKS.sub(" ", unfenced)
    text = "".join(sign for sign in spaced if sign.isprintable()).strip()
    if len(text) > MAX_CHARS:
        text = text[:MAX_CHARS].rsplit(" ", 1)[0] + " …"
    return text or None
