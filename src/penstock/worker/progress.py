"""Progress of runs: the latest of each job."""

from collections.abc import Sequence

from penstock.store.base import Store
from penstock.store.programs.settle import Progress, write_progress
from penstock.worker.gathering import Gathering
from penstock.worker.outage import Outage
from penstock.worker.service import OnFailure


class ProgressWriter(Gathering[Progress]):
    """Takes progress from any thread and writes the latest of each run."""

    def __init__(self, store: Store, outage: Outage, on_failure: OnFailure) -> None:
        super().__init__("progress", outage, on_failure)
        self._store = store

    def note(self, update: Progress) -> None:
        """Take an update; a newer one of the same run replaces one that is not yet written. From any thread."""
        self.take((update.job_id, update.claim_id), update)

    def merged(self, older: Progress, newer: Progress) -> Progress:
        """The newer."""
        return newer

    async def write(self, items: Sequence[Progress]) -> None:
        """Write them in one statement."""
        if items:
            await self._store.run(write_progress(items, self._store.clock.now()), durable=False)
