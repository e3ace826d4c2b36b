"""usage_meter_push."""

from penstock import Job, Permanent, Retry
from systems.learning_plans.application.ports import MeterRefused, MeterUnavailable
from systems.learning_plans.application.services.persistence_service import PersistenceService
from systems.learning_plans.handlers.jobs import METER_RETRY, UsageMeterPush


class UsageMeterPushHandler:
    """Tells whoever bills; whatever becomes of that, the plan stays as it is."""

    handles = UsageMeterPush

    def __init__(self, persistence: PersistenceService) -> None:
        self._persistence = persistence

    async def process_job(self, job: Job[UsageMeterPush]) -> None:
        """Raises `Retry` when the meter may not have heard, `Permanent` when it does not take the event."""
        try:
            await self._persistence.push_meter_event(job.data.meter_event_id)
        except MeterRefused as error:
            raise Permanent(str(error)) from error
        except MeterUnavailable as error:
            if error.retry_after_s is None:
                raise Retry(str(error)) from error
            usual_s = min(METER_RETRY.cap, METER_RETRY.base * METER_RETRY.factor ** (job.attempt - 1))
            raise Retry(str(error), after=max(error.retry_after_s, usual_s)) from error
