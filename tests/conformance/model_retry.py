"""What the model does when a person retries a job or a flow; see `model`."""

from penstock.domain.states import FINAL, JobState
from tests.conformance.model_ground import Ground, Key, ModelJob, Refused


class RetryModel(Ground):
    """Brings ended jobs back."""

    def retry_job(self, id_: str) -> tuple[list[str], list[str]]:
        """A person brings a job back, with what was cancelled because of it; who is ready, who waits."""
        if id_ not in self.jobs:
            raise Refused("NotFound")
        if self.jobs[id_].state not in FINAL:
            raise Refused("Conflict")
        return self._revive({id_})

    def retry_flow(self, flow: str) -> tuple[list[str], list[str]]:
        """A new round: what failed and what comes after it, but for what a person cancelled."""
        if flow not in self.flows:
            raise Refused("NotFound")
        ended = [job for job in self.members(flow) if job.state in FINAL]
        front = [job.id for job in ended if job.state is JobState.FAILED]
        if not front:
            raise Refused("Conflict")
        reached = set(front)
        while front:
            node = front.pop()
            for job in ended:
                by_person = job.state is JobState.CANCELLED and job.culprit is None
                if node in job.after and not by_person and job.id not in reached:
                    reached.add(job.id)
                    front.append(job.id)
        return self._revive(reached)

    def _revive(self, roots: set[str]) -> tuple[list[str], list[str]]:
        coming, causes, front = set(roots), set(roots), list(roots)
        while front:
            cause = front.pop()
            found = [j.id for j in self.jobs.values() if j.culprit == cause and j.state is JobState.CANCELLED]
            flow = self.jobs[cause].flow if cause in self.jobs else None
            if flow in self.flows and self.flows[flow].finished is not None:
                found.append(flow)
            front += [id_ for id_ in found if id_ not in causes]
            causes |= set(found)
        coming |= {id_ for id_ in causes if id_ in self.jobs}
        self._take_keys_again(sorted(coming))
        for id_ in {self.jobs[id_].flow or "" for id_ in coming} & self.flows.keys():
            self.flows[id_].round += 1
            self.flows[id_].finished = None
        for id_ in coming:
            self._bring_back(self.jobs[id_])
        ready: list[str] = []
        blocked: list[str] = []
        for id_ in sorted(coming):
            job = self.jobs[id_]
            waits = bool(self.parents(job)["open"]) and self.fate(job) != "start"
            job.state = JobState.BLOCKED if waits else JobState.READY
            (blocked if waits else ready).append(id_)
        return ready, blocked

    def _bring_back(self, job: ModelJob) -> None:
        job.state = JobState.BLOCKED  # open, until all of them are back
        job.ready_at, job.attempt, job.losses = self.now, 0, 0
        job.finished = job.started = job.culprit = job.due = job.deadline = None
        job.stop_asked = False

    def _take_keys_again(self, coming: list[str]) -> None:
        wanted: dict[str, str] = {}
        for id_ in coming:
            key = self.jobs[id_].unique
            if key is not None and wanted.setdefault(key, id_) != id_:
                raise Refused("UniqueKeyTaken")
        for key, id_ in wanted.items():
            held = self.keys.get(key)
            if held is None or (held.job != id_ and held.expires is not None and held.expires <= self.now):
                self.keys[key] = Key(id_, "active", None)
            elif held.job != id_:
                raise Refused("UniqueKeyTaken")
