"""How a model is asked for a plan."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from penstock.ai import ModelRequest
from systems.learning_plans.application.data_block import DataBlock
from systems.learning_plans.domain.entities import SkillLevel, Wishes
from systems.learning_plans.domain.wishes import MAX_NOTES, MAX_TOPIC, as_json, clean

TASK = "plan_generation"
TEMPERATURE = 0.2
MAX_OUTPUT_TOKENS = 1_200
MODULES, TASKS = (3, 6), (3, 6)
MINUTES = {
    SkillLevel.BEGINNER: (20, 45),
    SkillLevel.INTERMEDIATE: (30, 60),
    SkillLevel.ADVANCED: (45, 90),
}

_DATA = DataBlock("learner_data")

_INSTRUCTIONS = f"""Task: {TASK}
You plan how somebody learns a topic. Make {MODULES[0]} to {MODULES[1]} modules of {TASKS[0]} to {TASKS[1]} tasks each,
in the order in which to learn, for the learner's level, hours a week and way of learning.
A task is one sitting: about {{least}} to {{most}} minutes. A module's minutes are the sum of its tasks.
Name no links, books, videos or other resources: they are found later.
Answer with one JSON object and nothing else:
{{{{"modules": [{{{{"title": text, "description": text, "estimated_minutes": number,
"tasks": [{{{{"title": text, "description": text, "estimated_minutes": number}}}}]}}}}]}}}}
{_DATA.warning}"""


@dataclass(frozen=True, slots=True)
class PlanPrompt:
    """A request for a plan; whether topic or notes had to be cut for it; the hash that says what was asked for whom."""

    request: ModelRequest
    truncated_topic: bool
    truncated_notes: bool
    prompt_hash: str


def plan_prompt(plan_id: str, user_id: str, wishes: Wishes) -> PlanPrompt:
    """The request for a plan with these wishes."""
    topic = " ".join(clean(wishes.topic).split())
    notes = clean(wishes.notes or "")
    data = as_json(wishes) | {"topic": topic[:MAX_TOPIC], "notes": notes[:MAX_NOTES] or None}
    least, most = MINUTES[wishes.skill_level]
    request = ModelRequest(
        instructions=_INSTRUCTIONS.format(least=least, most=most),
        prompt=_DATA.written(data),
        json=True,
        temperature=TEMPERATURE,
        max_output_tokens=MAX_OUTPUT_TOKENS,
    )
    asked = {
        "plan_id": plan_id,
        "user_id": user_id,
        "topic": topic,
        "notes": notes or None,
        "skill_level": wishes.skill_level.value,
        "weekly_hours": wishes.weekly_hours,
        "learning_style": wishes.learning_style.value,
    }
    return PlanPrompt(request, len(topic) > MAX_TOPIC, len(notes) > MAX_NOTES, _hash(asked))


def plan_data(prompt: str) -> dict[str, Any]:
    """The wishes that a prompt of `plan_prompt` tells; empty when it has no such block."""
    return _DATA.read(prompt)


def _hash(asked: dict[str, Any]) -> str:
    canonical = json.dumps(asked, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()
