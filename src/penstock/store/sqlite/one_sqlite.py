"""Which SQLite libraries this process has loaded.

Closing a file drops all POSIX locks that the process holds on it, whoever took them. A second copy of SQLite on the
same file therefore breaks the first one's locks, and commits get lost (https://sqlite.org/howtocorrupt.html, 2.2.1).
"""

import re
from pathlib import Path

_LIBRARY = re.compile(r"libsqlite3[^/]*\.so|/(apsw|pysqlite3|sqlean)[^/]*(/[^/]*)*\.so")


def sqlite_libraries() -> list[str]:
    """The paths of all loaded SQLite libraries, sorted; more than one is a danger. Empty where /proc is missing."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return []
    paths = {line.split(maxsplit=5)[5].strip() for line in maps.read_text().splitlines() if "/" in line}
    return sorted(path for path in paths if _LIBRARY.search(path))
