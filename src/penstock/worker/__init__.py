"""The worker: claims jobs, runs handlers, writes how they ended."""

from penstock.worker.engine import Engine, RunProducer
from penstock.worker.maintenance import Duty
from penstock.worker.stats import QueueStats, WorkerStats
from penstock.worker.supervisor import Worker

__all__ = ["Duty", "Engine", "QueueStats", "RunProducer", "Worker", "WorkerStats"]
