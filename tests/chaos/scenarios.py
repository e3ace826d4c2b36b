"""All scenarios."""

from tests.chaos.kills import KILLS
from tests.chaos.outages import OUTAGES
from tests.chaos.times import TIMES

SCENARIOS = (*KILLS, *OUTAGES, *TIMES)
