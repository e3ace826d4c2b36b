"""How many plan jobs a learner may have accepted in a while."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

MAX_JOBS = 10
WINDOW = timedelta(minutes=60)


def seconds_to_wait(accepted: Sequence[datetime], now: datetime) -> int | None:
    """Whole seconds until another job may be accepted, None when one may be now.

    `accepted` are the times of jobs accepted before, in any order.
    """
    within = sorted((moment for moment in accepted if moment > now - WINDOW), reverse=True)
    if len(within) < MAX_JOBS:
        return None
    # With this one gone, one fewer than the most are left.
    leaves = within[MAX_JOBS - 1] + WINDOW
    return max(1, math.ceil((leaves - now).total_seconds()))
