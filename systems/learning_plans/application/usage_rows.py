"""Rows of usage out of the ledger's calls."""

from collections import Counter
from collections.abc import Sequence

from systems.learning_plans.application.ports import ModelCall
from systems.learning_plans.application.repositories import UsageCall


def usage_rows(user_id: str, job_id: str, calls: Sequence[ModelCall]) -> list[UsageCall]:
    """One row for each call. Those of a run that was lost are written as well: what they used is not known."""
    numbers: Counter[tuple[int, str]] = Counter()
    rows = []
    for call in calls:
        numbers[call.job_attempt, call.operation] += 1
        rows.append(
            UsageCall(
                user_id=user_id,
                job_id=job_id,
                job_attempt=call.job_attempt,
                operation=call.operation,
                call_no=numbers[call.job_attempt, call.operation],
                provider=call.provider,
                model=call.model,
                input_tokens=call.input_tokens,
                output_tokens=call.output_tokens,
                cost_micros=call.cost_micros,
                made_at=call.made_at,
            )
        )
    return rows
