"""Prepare the virtual environment `.venv` of this checkout from a hashed lock.

Usage: `python3 tools/setup.py runtime|dev`. The Makefile calls it before each target. It does nothing when the
environment already holds what the lock names, repairs one whose set-up was interrupted, and adds to one that was
filled by hand. Standard library and pip alone.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / ".setup-unfinished"
LOCKS = {"runtime": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}


def stamp(profile: str) -> Path:
    """Return the file that says which lock `profile` was last installed from."""
    return VENV / f".setup-{profile}"


def fingerprint(profile: str) -> str:
    """Return what the stamp of a finished set-up reads: it changes with the lock, the project and the folder."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (LOCKS[profile], ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_ready(profile: str) -> bool:
    """Say whether the environment already holds what `profile` asks for."""
    path = stamp(profile)
    return not UNFINISHED.exists() and path.exists() and path.read_text() == fingerprint(profile)


def is_usable() -> bool:
    """Say whether the environment is complete enough to install into: new enough a Python, with pip."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([PYTHON, "-c", check], stderr=subprocess.DEVNULL, check=False).returncode == 0


def install(profile: str) -> None:
    """Install the lock and this checkout; raises `subprocess.CalledProcessError` when pip fails.

    The mark is removed only at the end, because pip takes a half-copied package for an installed one: a set-up that
    was interrupted begins again with an empty environment.
    """
    UNFINISHED.touch()
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-input"]
    # The lock is complete. A resolver would look for more: pip before 23.3 takes `name[extra]` of a dependency for
    # another project than the pinned `name`, and fails on the day a newer one is published.
    subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", LOCKS[profile]], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT], check=True)
    # The dev lock holds all of the runtime lock, in the same versions.
    for done in LOCKS if profile == "dev" else [profile]:
        stamp(done).write_text(fingerprint(done))
    UNFINISHED.unlink()


def main(arguments: list[str]) -> int:
    """Set up the profile named by the only argument; return the exit code."""
    if len(arguments) != 1 or arguments[0] not in LOCKS:
        print(f"usage: setup.py {'|'.join(LOCKS)}", file=sys.stderr)
        return 2
    profile = arguments[0]
    # Two targets started at once wait for each other; the lock is on the checkout, which outlives the environment.
    checkout = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(checkout, fcntl.LOCK_EX)
    if is_ready(profile):
        return 0
    print(f"Setting up .venv from {LOCKS[profile].name} ...", flush=True)
    if not is_usable():
        venv.create(VENV, clear=True, symlinks=True, with_pip=True)
    try:
        install(profile)
    except subprocess.CalledProcessError as error:
        print(f"Set-up failed: pip ended with exit code {error.returncode}; see above.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
