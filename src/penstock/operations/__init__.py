"""One set of use cases under API, dashboard and CLI: inspect, why, retry, cancel, move, pause, watch, tail."""

from penstock.operations.budgets import BudgetOperations, BudgetView
from penstock.operations.flows import FlowOperations
from penstock.operations.jobs import JobOperations
from penstock.operations.limits import LimitOperations, LimitView
from penstock.operations.queues import QueueOperations, QueueView, ScheduleView, WorkerView
from penstock.operations.sinks import SinkOperations
from penstock.operations.streams import StreamPiece, StreamReader, StreamView, tail_job
from penstock.operations.view import ErrorView, JobView
from penstock.operations.watch import Update, watch_job
from penstock.operations.why import Why, why

__all__ = [
    "BudgetOperations",
    "BudgetView",
    "ErrorView",
    "FlowOperations",
    "JobOperations",
    "JobView",
    "LimitOperations",
    "LimitView",
    "QueueOperations",
    "QueueView",
    "ScheduleView",
    "SinkOperations",
    "StreamPiece",
    "StreamReader",
    "StreamView",
    "Update",
    "Why",
    "WorkerView",
    "tail_job",
    "watch_job",
    "why",
]
