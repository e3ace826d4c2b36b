"""Whose plan is made first: larger goes first."""

import re

from systems.learning_plans.domain.tiers import Tier

BY_TIER = {Tier.FREE: 1, Tier.STARTER: 5, Tier.PRO: 10}
IN_DEMAND = ("interview prep", "ai engineering", "machine learning", "data structures")
FOR_DEMAND = 3

_WORDS = "|".join(words.replace(" ", r"\s+") for words in IN_DEMAND)
_IN_DEMAND = re.compile(rf"\b(?:{_WORDS})\b", re.IGNORECASE)


def priority_of(tier: Tier, topic: str) -> int:
    """That of the tier, and more for a topic in demand, named in whole words."""
    return BY_TIER[tier] + (FOR_DEMAND if _IN_DEMAND.search(topic) else 0)
