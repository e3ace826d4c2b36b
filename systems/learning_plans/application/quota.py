"""What a learner may still ask for. A check and what it allows happen in one transaction that holds the user's row."""

from dataclasses import dataclass
from datetime import datetime

from systems.learning_plans.application.repositories import Reservation, UnitOfWork, UsageStanding
from systems.learning_plans.domain.entities import Wishes
from systems.learning_plans.domain.errors import PlanTooLong, QuotaExceeded, RateLimited, TooManyPlans
from systems.learning_plans.domain.pacing import weeks_of
from systems.learning_plans.domain.rates import MAX_JOBS, WINDOW, seconds_to_wait
from systems.learning_plans.domain.tiers import LIMITS, Limits, QuotaKind, ReservationState, Tier, month_of


@dataclass(frozen=True, slots=True)
class Allowance:
    """A learner whose row is held, and the moment of the decision."""

    uow: UnitOfWork
    user_id: str
    tier: Tier
    now: datetime

    @property
    def limits(self) -> Limits:
        """Those of the tier."""
        return LIMITS[self.tier]

    async def check_rate(self) -> None:
        """Raises `RateLimited`."""
        accepted = await self.uow.usage.accepted_since(self.user_id, self.now - WINDOW)
        wait_s = seconds_to_wait(accepted, self.now)
        if wait_s is not None:
            raise RateLimited(MAX_JOBS, int(WINDOW.total_seconds() // 60), wait_s)

    def check_length(self, wishes: Wishes) -> None:
        """Raises `PlanTooLong`."""
        weeks, most = weeks_of(wishes, self.now.date()), self.limits.plan_weeks
        if weeks is not None and most is not None and weeks > most:
            raise PlanTooLong(weeks, most)

    async def check_active(self) -> None:
        """Raises `TooManyPlans`."""
        most = self.limits.active_plans
        if most is not None and await self.uow.plans.active_count(self.user_id) >= most:
            raise TooManyPlans(most)

    async def check_regenerations(self) -> None:
        """Raises `QuotaExceeded`; what is held counts as used."""
        standing = await self._standing()
        most = self.limits.regenerations
        if most is not None and standing.regenerations_used + standing.regenerations_reserved >= most:
            raise QuotaExceeded("regenerations", most)

    async def check_exports(self) -> None:
        """Raises `QuotaExceeded`; what is held counts as used."""
        standing = await self._standing()
        most = self.limits.exports
        if most is not None and standing.exports_used + standing.exports_reserved >= most:
            raise QuotaExceeded("exports", most)

    async def reserve(self, kind: QuotaKind, job_id: str) -> None:
        """Hold a unit for an accepted job."""
        unit = Reservation(self.user_id, month_of(self.now), kind, job_id, ReservationState.RESERVED)
        await self.uow.usage.reserve(unit, self.now)

    async def _standing(self) -> UsageStanding:
        return await self.uow.usage.standing(self.user_id, month_of(self.now))


async def hold_learner(uow: UnitOfWork, user_id: str, now: datetime) -> Allowance:
    """The learner's row, held until the transaction ends."""
    return Allowance(uow, user_id, await uow.users.hold(user_id, now), now)
