"""Order within a queue: larger priority first, then the time a job became ready.

Position = ready time - level * the queue's aging step, static and indexed. Without aging the step is so large (63
years) that priority is strict; with aging a job of a lower level overtakes once it has waited that many steps longer.
"""

from enum import IntEnum

from penstock.errors import InvalidJob

STRICT_STEP = 2_000_000_000_000_000
"""Microseconds (about 63 years): no job waits long enough to overtake a higher level."""
MAX_LEVEL = 1_000
"""Keeps `level * STRICT_STEP` within a signed 64-bit integer."""


class Priority(IntEnum):
    """Named levels; any integer from -1000 to 1000 is as good."""

    LOW = -10
    NORMAL = 0
    HIGH = 10
    URGENT = 20


def level_of(priority: object) -> int:
    """The level of a name (`"low" "normal" "high" "urgent"`) or an integer from -1000 to 1000.

    Raises InvalidJob for anything else.
    """
    if isinstance(priority, str):
        try:
            return int(Priority[priority.upper()])
        except KeyError:
            raise InvalidJob(f"priority {priority!r} is unknown; use low, normal, high, urgent or an integer") from None
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > MAX_LEVEL:
        raise InvalidJob(
            f"priority must be low, normal, high, urgent or an integer from -1000 to 1000, not {priority!r}"
        )
    return int(priority)


def position(ready_at: int, level: int, aging_step: int | None) -> int:
    """The claim position of a job that is ready at `ready_at`; smaller is earlier. µs, `aging_step` µs per level."""
    return ready_at - level * (aging_step or STRICT_STEP)
