"""Whose turn it is: a tenant that had more of the last claims than others has to let them go first."""

from collections.abc import Mapping, Sequence

from penstock.domain.claimed import ClaimedJob


class Turns:
    """Turns of one queue in this process, in jobs. Who was not there begins where the others stand."""

    def __init__(self) -> None:
        self.ahead: Mapping[str | None, int] = {}

    def taken(self, jobs: Sequence[ClaimedJob]) -> None:
        """These were claimed, in this order."""
        ends, stand = dict(self.ahead), 0
        for job in jobs:
            stand = max(stand, ends.get(job.tenant, 0))
            ends[job.tenant] = stand + 1
        self.ahead = {tenant: end - stand for tenant, end in ends.items() if end > stand}
