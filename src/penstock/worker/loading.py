"""From a claimed job to the `Job` its handler sees: options, opened secrets, validated data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from penstock import codec
from penstock.context import Job, RunPort
from penstock.domain.claimed import ClaimedJob
from penstock.domain.job import JobData
from penstock.domain.outcomes import ErrorRecord, Failed
from penstock.domain.secret import SEALED
from penstock.errors import SealingError
from penstock.registry import HandlerEntry
from penstock.sealing import Keyring, open_all
from penstock.worker import endings
from penstock.worker.redaction import Redactor
from penstock.worker.run import Run

_SHOWN_ERRORS = 5


class Unloadable(Exception):
    """The job cannot be run here; `outcome` says why."""

    def __init__(self, outcome: Failed) -> None:
        super().__init__(outcome.error.message)
        self.outcome = outcome


class DataLoader:
    """Makes `Job`s. `port` is what their handlers write through."""

    def __init__(self, keyring: Keyring, redactor: Redactor, port: RunPort) -> None:
        self._keyring = keyring
        self._redactor = redactor
        self._port = port

    def options(self, claimed: ClaimedJob) -> Mapping[str, Any]:
        """What was stored with the job."""
        return codec.loads(claimed.options) if claimed.options else {}

    def job(self, run: Run, queue_timeout_s: float | None) -> Job[Any]:
        """The handler's view of a run; sets the run's timeout. Raises Unloadable."""
        claimed, entry = run.claimed, run.entry
        if entry is None:
            raise _permanent(
                "UnknownKind", f"no handler for kind {claimed.kind!r} in a worker that must not leave it waiting"
            )
        timeout_s = run.options.get("timeout") or entry.spec.timeout_s or queue_timeout_s
        run.timeout_s = timeout_s
        deadline_at = claimed.deadline_at
        if timeout_s is not None:
            ends_at = run.started_at + int(timeout_s * 1_000_000)
            deadline_at = ends_at if deadline_at is None else min(deadline_at, ends_at)
        return Job(
            claimed.id, self._data(claimed, entry), claimed.kind, claimed.queue, claimed.attempts_before + 1,
            claimed.max_attempts, claimed.claim_id, claimed.created_at, deadline_at, timeout_s, claimed.tenant,
            claimed.flow_id, self._port, losses=claimed.losses_before, started=run.started_at,
        )  # fmt: skip

    def cleaned(self, claimed: ClaimedJob, outcome: Failed) -> Failed:
        """The failure without the secrets that were opened for this run."""
        if not self._redactor.known:
            return outcome
        message, traceback = (
            self._redactor.clean(claimed.id, claimed.claim_id, text)
            for text in (outcome.error.message, outcome.error.traceback)
        )
        return replace(outcome, error=ErrorRecord(outcome.error.error_class, message, traceback))

    def forget(self, claimed: ClaimedJob) -> None:
        """The run has ended: its secrets need no longer be known."""
        if self._redactor.known:
            self._redactor.forget(claimed.id, claimed.claim_id)

    def _data(self, claimed: ClaimedJob, entry: HandlerEntry) -> JobData:
        text: str | bytes = claimed.data
        try:
            if SEALED in claimed.data:
                opened, secrets = open_all(codec.loads(text), self._keyring, claimed.id)
                self._redactor.remember(claimed.id, claimed.claim_id, secrets)
                text = codec.dumps(opened)
            # What `model_validate_json` does, without its look at the options that are not given.
            data: JobData = entry.data_type.__pydantic_validator__.validate_json(text)
            return data
        except ValidationError as error:
            failure = _permanent("InvalidData", f"its data no longer fits {entry.data_type.__name__}: {_fields(error)}")
        except SealingError as error:
            failure = _permanent("SealingError", str(error))
        except Exception as error:  # noqa: BLE001 - a validator of the user's; its failure is the job's
            failure = Unloadable(Failed(endings.record_of(error), permanent=True, by_handler=False))
        raise Unloadable(self.cleaned(claimed, failure.outcome))


def _permanent(error_class: str, message: str) -> Unloadable:
    return Unloadable(Failed(ErrorRecord(error_class, message), permanent=True, by_handler=False))


def _fields(error: ValidationError) -> str:
    """Which fields, and what is wrong with them; never the values."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [f"{'.'.join(map(str, one['loc'])) or 'data'}: {one['msg']}" for one in found[:_SHOWN_ERRORS]]
    more = len(found) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")
