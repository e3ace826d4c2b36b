"""The task `micro_explanation` done without a model, from the words of the plan itself."""

import re

from penstock.ai import ModelRequest
from systems.learning_plans.application.explanations import task_data

MAX_QUOTED_CHARS = 300
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")

_EXERCISES = {
    "beginner": "explain it to somebody who has never heard of it, and look up each word you could not explain.",
    "intermediate": "do one small example of it without looking anything up, then compare it with a source.",
    "advanced": "find a case in which it does not hold or is the wrong choice, and write down why.",
}


def micro_explanation(request: ModelRequest) -> str:
    """Two or three sentences that say what they were made from, and an exercise for the learner's level; the same for
    the same task."""
    data = task_data(request.prompt_text)
    title, topic = _short(data.get("task", "")), _short(data.get("topic", ""))
    task = f'"{title}"' if title else "This task"
    about = _first_sentence(data.get("description", ""))
    sentences = [f"{task} is one step of your plan{f' for {topic}' if topic else ''}{f': {about}' if about else '.'}"]
    sentences.append("This note was put together without a language model, from the plan's own words.")
    exercise = _EXERCISES.get(data.get("skill_level", ""), _EXERCISES["beginner"])
    return f"{' '.join(sentences)} Exercise: {exercise}"


def _first_sentence(text: str) -> str:
    sentence = _short(_SENTENCE_END.split(text.strip(), maxsplit=1)[0])
    return sentence if not sentence or sentence.endswith((".", "!", "?", "…")) else f"{sentence}."


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MAX_QUOTED_CHARS else words[:MAX_QUOTED_CHARS].rsplit(" ", 1)[0] + " …"
