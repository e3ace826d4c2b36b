"""What a run has cost, by the engine's ledger."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from systems.study_notes.wiring import StudyNotes


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls of models, and US dollars: what they cost, and what steps have kept from being paid again."""

    calls: int
    tokens: int
    dollars: Decimal
    unpriced: int
    saved: Decimal
    steps_kept: int
    tokens_kept: int

    def line(self) -> str:
        """For people."""
        unknown = f" and {self.unpriced} of unknown price" if self.unpriced else ""
        paid = f"{self.calls} model calls, {self.tokens:,} tokens: ${self.dollars:.4f}{unknown}."
        if not self.steps_kept:
            return f"{paid} Each is a step: killed and started again, none would be paid twice."
        kept = f"{self.steps_kept} of them, of {self.tokens_kept:,} tokens (${self.saved:.4f})"
        return f"{paid} The killed worker had made {kept}: not paid for again."


async def cost_of(notes: StudyNotes, flow_id: str) -> Cost:
    """Of one source's flow."""
    rows = await notes.engine.usage(by="kind", flow_id=flow_id, since=timedelta(days=1))
    kept: list[int] = []
    for job in await notes.engine.flows.jobs(flow_id, 1_000):
        done = {step.name for step in await notes.engine.jobs.steps(job.id) if step.attempt < job.attempt}
        calls = await notes.engine.jobs.calls(job.id) if done else ()
        answered = [call for call in calls if call.step in done and call.outcome == "answered"]
        kept += [(call.input_tokens or 0) + (call.output_tokens or 0) for call in answered]
    return Cost(
        calls=sum(row.calls for row in rows),
        tokens=sum(row.input_tokens + row.output_tokens for row in rows),
        dollars=sum((row.cost for row in rows), Decimal()),
        unpriced=sum(row.unpriced for row in rows),
        saved=sum((row.saved for row in rows), Decimal()),
        steps_kept=len(kept),
        tokens_kept=sum(kept),
    )
