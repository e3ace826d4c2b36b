"""What the machine tells about processes. Only Linux tells all of it; None elsewhere."""

import os
import resource
from pathlib import Path

_MIB = 1024 * 1024


def cpu_of(pid: int) -> tuple[str, float] | None:
    """The program's name and the seconds of CPU of a process; None when it is gone or out of sight."""
    try:
        # The name stands in parentheses and may hold anything; behind it utime and stime are the 12th and 13th.
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return None
    fields = rest.split()
    return name, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s() -> float | None:
    """Seconds all cores were busy since the machine started, whoever used them."""
    try:
        line = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, *rest = (int(value) for value in line.split()[1:])
    return (user + nice + system + sum(rest[:2])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float | None:
    """Memory of a process that is in RAM now."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def own_cpu_s() -> float:
    """Seconds of CPU of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def own_peak_mib() -> float:
    """The most memory this process has had in RAM (Linux counts it in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if os.uname().sysname == "Darwin" else peak / 1024


def own_written() -> int:
    """Bytes this process has written to files; 0 where that is not counted."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), 0)
