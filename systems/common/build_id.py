"""Which code runs here: workers and servers of different builds must not be mixed for long."""

import hashlib
from pathlib import Path

_COMMON = Path(__file__).parent


def build_id(package: Path, common: Path = _COMMON) -> str:
    """Twelve hex digits over the names and contents of all Python files below `package` and of what systems share, as
    they are now."""
    digest = hashlib.sha256()
    for folder in (package, common):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
