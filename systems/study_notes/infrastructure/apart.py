"""Programs that read strangers' files apart from the worker: without its keys and connections, within limits on memory,
time and files, and killed with whoever waits for them. What they find comes through a pipe; there is no file between.

A program is a module with `if __name__ == "__main__": run(work)`; `work` gets the arguments and answers bytes.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from systems.study_notes.domain.errors import PermanentSourceError, StageError

UNREADABLE = 3
_MEMORY_BYTES = 2 * 2**30
_CPU_S = 900
# What a program needs to start; nothing else of the environment (keys!) goes to where strangers' files are read.
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL")
_REASON_CHARS = 200


class Unreadable(Exception):
    """What a program raises about its file: the reason in words."""


async def apart(what: str, module: str, *arguments: str) -> bytes:
    """What the program `module` writes; `what` it reads is told with its refusals.

    Raises `PermanentSourceError` when the file cannot be read, `StageError` when the program broke.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )  # fmt: skip
    try:
        out, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode == 0:
        return out
    reason = told.decode(errors="replace").strip().rpartition("\n")[2][:_REASON_CHARS]
    if process.returncode == UNREADABLE:
        raise PermanentSourceError(f"{what} is damaged: {reason}")
    raise StageError(f"{what} could not be read (exit code {process.returncode})")


def run(work: Callable[[Sequence[str]], bytes]) -> None:
    """Be such a program: never returns."""
    _limit_resources()
    try:
        out = work(sys.argv[1:])
    except Unreadable as error:
        sys.stderr.write(str(error).replace("\n", " ") + "\n")
        sys.exit(UNREADABLE)
    sys.stdout.buffer.write(out)
    sys.exit(0)


def _limit_resources() -> None:
    try:
        import resource  # noqa: PLC0415
    except ImportError:  # not on this system
        return
    limits = {
        resource.RLIMIT_AS: _MEMORY_BYTES,
        resource.RLIMIT_CPU: _CPU_S,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,  # nothing is written to any file
    }
    for kind, most in limits.items():
        with suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(kind, (most, most))
