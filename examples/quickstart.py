"""A whole application in one file: a kind of job, its handler, an engine and a worker.

penstock worker examples.quickstart:worker      # in one terminal
python -m examples.quickstart Ada               # in another: enqueues a greeting and waits for it
"""

import asyncio
import sys

from penstock import Job, JobData, Penstock, Worker


class Greet(JobData, kind="greet", queue="greetings", max_attempts=3):
    name: str


async def greet(job: Job[Greet]) -> str:
    job.progress(0.5, "thinking of something nice")
    return f"Hello, {job.data.name}!"


penstock = Penstock()  # PENSTOCK_DATABASE_URL, else sqlite:///penstock.db
worker = Worker(penstock, handlers=[greet])


async def main(name: str) -> None:
    async with penstock:
        handle = await penstock.enqueue(Greet(name=name), tags=["example"])
        sys.stdout.write(f"{await handle.result(timeout=30)}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "world"))
