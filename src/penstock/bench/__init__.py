"""`penstock bench`: the engine beside the barest SQL that does the same, in the same run, on databases of its own."""

from penstock.bench.parts import PARTS, Part
from penstock.bench.report import BenchError, Figure, Profile, Report, Sizes, Spread, StoreReport
from penstock.bench.run import StoreName, run_bench

__all__ = [
    "PARTS", "BenchError", "Figure", "Part", "Profile", "Report", "Sizes", "Spread", "StoreName", "StoreReport",
    "run_bench",
]  # fmt: skip
