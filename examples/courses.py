"""Models in an application of one file: a chain of providers, a deadline, limits, budgets, steps and the ledger.

export OPENAI_API_KEY=…                          # OPENAI_BASE_URL leads to whatever speaks OpenAI's wire
penstock worker examples.courses:worker          # in one terminal
python -m examples.courses acme "SQL in a week"  # in another: plans a course for the tenant acme, and waits for it
penstock budgets list
penstock usage --by step
"""

import asyncio
import os
import sys

from pydantic import BaseModel

from penstock import Job, JobData, Penstock, Worker
from penstock.ai import AdaptiveTimeout, Budget, CallPolicy, ModelChain, ModelLimit, ModelRequest, answer_or_raise
from penstock.ai.providers import provider_from


class PlanCourse(JobData, kind="plan_course", queue="courses", max_attempts=3):
    topic: str


class Outline(BaseModel):
    title: str
    parts: list[str]


penstock = Penstock(  # PENSTOCK_DATABASE_URL, else sqlite:///penstock.db
    limits=[ModelLimit("openai", requests=500, input_tokens=200_000, concurrent=20)],
    budgets=[
        Budget("everyone", dollars=50, per="month", tz="Europe/Berlin"),
        Budget("each-tenant", dollars=2, per="day", tz="Europe/Berlin", tenant="*"),
        Budget("each-course", tokens=60_000, flow="*"),
    ],
)
chain = ModelChain(
    [
        provider_from(
            "openai",
            model=model,
            api_key=os.environ.get("OPENAI_API_KEY", ""),
            base_url=os.environ.get("OPENAI_BASE_URL"),
        )
        for model in ("gpt-4o-mini", "gpt-4o")  # the second is asked where the first fails
    ],
    policy=CallPolicy(tries=3),
    gate=penstock.ledger,
)


async def outline(topic: str) -> Outline:
    """One call, or a few; 30 seconds in all, 45 when the answer has begun to come in time."""
    request = ModelRequest("You plan courses.", topic, output=Outline, max_output_tokens=2_000, timeout_s=60)
    deadline = AdaptiveTimeout(base_ms=30_000, extension_ms=15_000, threshold_ms=25_000)
    try:
        answer = await chain.ask(request, deadline=deadline, on_text=lambda piece: deadline.notify_first_module())
        return answer_or_raise(answer).value
    finally:
        deadline.cancel()


async def lesson(course: str, part: str) -> str:
    request = ModelRequest(f"You write lessons of the course {course!r}.", part, max_output_tokens=1_500, timeout_s=60)
    return answer_or_raise(await chain.ask(request)).text


async def plan_course(job: Job[PlanCourse]) -> list[str]:
    plan = await job.step("outline", outline, job.data.topic)  # asked once, whatever happens after it
    return list(
        await asyncio.gather(
            *(job.step(f"part {n}", lesson, plan.title, part) for n, part in enumerate(plan.parts, start=1))
        )
    )


worker = Worker(penstock, handlers=[plan_course])


async def main(tenant: str, topic: str) -> None:
    async with penstock:
        course = await penstock.flow("course", tenant=tenant)
        handle = await penstock.enqueue(PlanCourse(topic=topic), tenant=tenant, flow=course)
        for text in await handle.result(timeout=3_600):
            sys.stdout.write(f"{text}\n\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
