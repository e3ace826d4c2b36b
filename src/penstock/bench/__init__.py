"""`penstock bench`: the engine beside the barest SQL that does the same, in the same run, on databases of its own."""

from penstock.bench.report import BenchError, Figure, Report, Spread, StoreReport
from penstock.bench.run import StoreName, run_bench

__all__ = ["BenchError", "Figure", "Report", "Spread", "StoreName", "StoreReport", "run_bench"]
