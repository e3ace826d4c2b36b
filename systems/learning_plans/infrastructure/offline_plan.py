"""A plan without a model: an outline of how one learns any topic, in the learner's way, around what the notes name.

It knows nothing of the topic and does not pretend to: tasks say what to find out, and quote the learner's own notes.
The same wishes always give the same plan.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.ai import ModelRequest
from penstock.ai.offline import detect_language, distinct_phrases, lexicon_for, rank_phrases, split_sentences
from systems.learning_plans.application.plan_prompt import MINUTES, plan_data
from systems.learning_plans.domain.entities import SkillLevel

MAX_NOTE_MODULES = 2
_STEP = 5

Task = tuple[str, str]
Outline = tuple[str, str, Sequence[Task]]

_LOOK = {"reading": "Read", "video": "Watch", "practice": "Try out", "mixed": "Read or watch"}

_OVERVIEW: Outline = (
    "What {topic} is about",
    "A first look, so that everything later has a place to go.",
    (
        ("{look} an overview of {topic}", "Find out what it covers, what it is used for and where it comes from."),
        ("Collect the main terms of {topic}", "Write down ten words that keep coming up, each with half a sentence."),
        ("Say in your own words what {topic} is", "Five sentences, without looking anything up; then check them."),
    ),
)
_BASICS: Outline = (
    "The basics of {topic}",
    "The few ideas on which the rest stands.",
    (
        ("{look} the basic ideas of {topic} one by one", "Stop after each and note what it says and what it is for."),
        ("Draw how the basic ideas of {topic} hang together", "One page: boxes, arrows, and a word on each arrow."),
        ("Work through one simple example of {topic}", "Choose the smallest one you can find and do every step of it."),
        ("Explain the basics of {topic} to somebody", "Where you get stuck, go back and look that part up again."),
    ),
)
_USE: Outline = (
    "{topic} in use",
    "From knowing to doing.",
    (
        ("Solve a small exercise on {topic}", "Do it alone first; compare with a worked solution afterwards."),
        ("Compare two examples of {topic}", "Note what they share, where they differ, and why."),
        ("Change an example of {topic} and predict what happens", "Write the prediction down before you check it."),
    ),
)
_DEPTH: Outline = (
    "Deeper into {topic}",
    "What lies behind the basics.",
    (
        ("{look} one advanced part of {topic}", "Choose the one that you are most likely to need."),
        ("Find the limits of {topic}", "When does it not work, or not pay? Collect three cases."),
        ("Take a demanding example of {topic} apart", "Write down each decision in it and the reason for it."),
    ),
)
_STATE: Outline = (
    "Where {topic} stands",
    "Sources at first hand, and the questions that are open.",
    (
        ("{look} a source on {topic} at first hand", "The work, standard or paper that the others refer to."),
        ("Compare two schools of thought on {topic}", "State each side so that its own people would agree."),
        ("Write down an open question of {topic}", "And what one would have to do to answer it."),
    ),
)
_PROJECT: Outline = (
    "A project of your own on {topic}",
    "Something small and whole, and a look back.",
    (
        ("Plan a small project on {topic}", "One page: what it is to show, and how you will know that it is done."),
        (
            "Carry out your project on {topic}",
            "Keep it small enough to finish; note every place where you had to guess.",
        ),
        ("Test yourself on {topic}", "Write ten questions from memory, answer them a day later, and correct them."),
        ("Look back on what you have learned of {topic}", "What sits, what does not yet, and what comes next."),
    ),
)

_BY_LEVEL: Mapping[SkillLevel, Sequence[Outline]] = {
    SkillLevel.BEGINNER: (_OVERVIEW, _BASICS, _USE, _PROJECT),
    SkillLevel.INTERMEDIATE: (_BASICS, _USE, _DEPTH, _PROJECT),
    SkillLevel.ADVANCED: (_USE, _DEPTH, _STATE, _PROJECT),
}


def plan_generation(request: ModelRequest) -> str:
    """The task of that name for `penstock.ai.OfflineModel`: JSON as a model is asked for it."""
    data = plan_data(request.prompt_text)
    level = SkillLevel(data.get("skill_level", SkillLevel.BEGINNER))
    topic, look = str(data.get("topic") or "the topic"), _LOOK.get(str(data.get("learning_style")), _LOOK["mixed"])
    *first, last = _BY_LEVEL[level]
    outlines = [*first, *_of_notes(str(data.get("notes") or "")), last]
    modules = [_module(outline, topic, look, level) for outline in outlines]
    return json.dumps({"modules": modules}, ensure_ascii=False)


def _module(outline: Outline, topic: str, look: str, level: SkillLevel) -> dict[str, Any]:
    title, description, tasks = outline
    minutes = _minutes(level, len(tasks))
    filled = [
        {"title": _filled(task, topic, look), "description": about, "estimated_minutes": minutes[number]}
        for number, (task, about) in enumerate(tasks)
    ]
    return {
        "title": _filled(title, topic, look),
        "description": description,
        "estimated_minutes": sum(minutes),
        "tasks": filled,
    }


def _filled(text: str, topic: str, look: str) -> str:
    # By hand: a topic may hold braces.
    return text.replace("{look}", look).replace("{topic}", topic)


def _minutes(level: SkillLevel, tasks: int) -> list[int]:
    """From the level's least to its most, in steps of five."""
    least, most = MINUTES[level]
    return [least + round((most - least) * number / max(1, tasks - 1) / _STEP) * _STEP for number in range(tasks)]


def _of_notes(notes: str) -> list[Outline]:
    """A module for each of the leading terms of the notes, with the sentence in which it stands first."""
    sentences = split_sentences(" ".join(notes.split()))
    if not sentences:
        return []
    ranked = [
        phrase for phrase in rank_phrases(sentences, lexicon_for(notes, detect_language(notes))) if phrase.is_noun
    ]
    chosen: list[Outline] = []
    used: set[int] = set()
    # One term a sentence, as far as there are sentences.
    for phrase in sorted(distinct_phrases(ranked, len(sentences) + MAX_NOTE_MODULES), key=lambda one: -one.score):
        if phrase.first not in used and len(chosen) < MAX_NOTE_MODULES:
            used.add(phrase.first)
            chosen.append(_of_phrase(phrase.text, sentences[phrase.first]))
    return chosen


def _of_phrase(phrase: str, sentence: str) -> Outline:
    quoted = sentence.rstrip(".")
    return (
        f"From your notes: {phrase}",
        f"Your notes say: “{quoted}.”",
        (
            (f"Write down what you know about {phrase}", f"And what you would like to know. Your notes: “{quoted}.”"),
            (f"{{look}} something on {phrase} in {{topic}}", "Take along the questions from the task before."),
            (f"Use what you found on {phrase}", "Answer your questions in writing, with one example each."),
        ),
    )
