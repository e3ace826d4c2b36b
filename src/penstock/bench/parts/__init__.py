"""The parts of the benchmark, in the order they are run and shown."""

from penstock.bench.parts.depth import DEPTHS
from penstock.bench.parts.drain import DRAINS
from penstock.bench.parts.enqueue import ENQUEUES
from penstock.bench.parts.flows import FLOWS
from penstock.bench.parts.latency import LATENCIES
from penstock.bench.parts.part import Part, Setting
from penstock.bench.parts.processes import PROCESSES
from penstock.bench.parts.sustained import SUSTAINED
from penstock.bench.parts.variants import VARIANTS

PARTS: tuple[Part, ...] = (
    *ENQUEUES, *DRAINS, *VARIANTS, *LATENCIES, *FLOWS, *PROCESSES, *DEPTHS, *SUSTAINED,
)  # fmt: skip

__all__ = ["PARTS", "Part", "Setting"]
