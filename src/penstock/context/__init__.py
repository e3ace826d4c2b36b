"""What a handler sees of its run."""

from penstock.context.job import CancelSignal, Job, RunPort

__all__ = ["CancelSignal", "Job", "RunPort"]
