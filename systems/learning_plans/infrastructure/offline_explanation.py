"""The task `micro_explanation` done without a model: a hint by the level of the learner."""

from zlib import crc32

from penstock.ai import ModelRequest
from systems.learning_plans.application.explanations import task_data

MAX_QUOTED_CHARS = 300
_BEGINNER = "beginner"

_GOALS = {
    "beginner": "say in your own words what it is about",
    "intermediate": "do a small example of it alone",
    "advanced": "say when it holds, when it does not, and why",
}
_EXERCISES = {
    "beginner": (
        "explain it to somebody who has never heard of it, and look up each word you could not explain.",
        "write down three questions you still have, and answer one of them.",
        "draw it on one page, with a word on each arrow.",
        "find one example of it around you, and say what makes it one.",
    ),
    "intermediate": (
        "do one small example without looking anything up, then compare it with a source.",
        "change one thing in an example, say what will happen, and see whether it does.",
        "list three mistakes one can make here, and how each shows.",
        "explain how it is tied to the task before it.",
    ),
    "advanced": (
        "find a case in which it does not hold or is the wrong choice, and write down why.",
        "compare two ways of doing it, and say when you would take which.",
        "write five lines that would teach it to somebody one level below you.",
        "find a source that disagrees with what you have learnt, and judge who is right.",
    ),
}


def micro_explanation(request: ModelRequest) -> str:
    """Two sentences that say what the task is done for and what they were made from, and an exercise for the learner's
    level; the same for the same task."""
    data = task_data(request.prompt_text)
    title, topic = _short(data.get("task", "")), _short(data.get("topic", ""))
    level = data.get("skill_level", _BEGINNER)
    level = level if level in _GOALS else _BEGINNER
    work = f'Work on "{title}"' if title else "Work on this task"
    made = f"This hint was put together without a language model{f', for your plan on {topic}' if topic else ''}."
    exercises = _EXERCISES[level]
    exercise = exercises[crc32(title.encode("utf-8", "replace")) % len(exercises)]
    return f"{work} until you can {_GOALS[level]}. {made} Exercise: {exercise}"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MAX_QUOTED_CHARS else words[:MAX_QUOTED_CHARS].rsplit(" ", 1)[0] + " …"
