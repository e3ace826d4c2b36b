"""The part of the demo in which a worker is killed, so that one can see what the next one need not pay for."""

import asyncio
import os
import signal
import sys
from pathlib import Path

_LEASE_S = 1.0
"""How long a worker of the demo may be silent before its job is taken from it."""


def keep_leases_short() -> None:
    """Have the engines of this process, and of those it starts, miss a worker soon."""
    os.environ.setdefault("PENSTOCK_LEASE_S", str(_LEASE_S))


async def be_killed_on_the_way(work: Path) -> bool:
    """Let such a worker work below `work`; whether it was killed. With nothing to ask twice it ends by itself."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "systems.study_notes.demo.deadly_worker", str(work), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        return await child.wait() == -signal.SIGKILL
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
