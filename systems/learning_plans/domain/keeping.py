"""Which tasks of a new plan are the old ones, so that a learner keeps what is done."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from systems.learning_plans.domain.entities import Module, ModuleDraft

Place = tuple[int, int]
"""A task of a new plan: number of its module and its own, from 0."""


def kept_tasks(old: Sequence[Module], new: Sequence[ModuleDraft]) -> dict[Place, str]:
    """The ids of old tasks by the places of those new ones that are equal to them.

    Equal by the titles of module and task, apart from case, spacing and punctuation; else by the title of the task,
    when no other task on either side has it. Each old task is kept once.
    """
    kept: dict[Place, str] = {}
    taken: set[str] = set()

    def keep(place: Place, ids: Sequence[str]) -> None:
        free = [one for one in ids if one not in taken]
        if free:
            kept[place] = free[0]
            taken.add(free[0])

    places = [
        ((number, position), plain(module.title), plain(task.title))
        for number, module in enumerate(new)
        for position, task in enumerate(module.tasks)
    ]
    tasks = [(plain(module.title), plain(task.title), task.id) for module in old for task in module.tasks]
    for place, module_title, title in places:
        keep(place, [id_ for old_module, old_title, id_ in tasks if (old_module, old_title) == (module_title, title)])
    in_old, in_new = Counter(title for _, title, _ in tasks), Counter(title for _, _, title in places)
    for place, _, title in places:
        if place not in kept and in_old[title] == in_new[title] == 1:
            keep(place, [id_ for _, old_title, id_ in tasks if old_title == title])
    return kept


def plain(title: str) -> str:
    """A title without what may differ: case, spacing, punctuation."""
    text = unicodedata.normalize("NFKC", title).casefold()
    words = "".join(" " if unicodedata.category(sign)[0] in "PZSC" else sign for sign in text)
    # A title of nothing but signs ("C++" keeps its letter, "???" has none) is told apart by them.
    return " ".join(words.split()) or " ".join(text.split())
