"""Rivals' environments: outside the tree, each filled once from the pinned versions beside this file."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.peers.targets import Target

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).parent / "pins"
RIVALS = Path(__file__).parent / "rivals"
_MINORS = range(11, 20)


class NotRun(Exception):
    """Why a target is left out."""


def home() -> Path:
    """Where the environments are: PENSTOCK_PEERS_DIR, else in the user's cache."""
    given = os.environ.get("PENSTOCK_PEERS_DIR")
    return Path(given) if given else Path.home() / ".cache" / "penstock-peers"


def command(target: Target) -> tuple[list[str], Path]:
    """How the driver of an installed target is started (without its URL and settings), and in which folder."""
    if target.environment is None:
        return [sys.executable, "-P", "-m", target.driver], ROOT
    folder = home() / target.environment
    if _is_node(target):
        return [_node(), str(RIVALS / target.driver)], folder
    # -P: a driver has the name of the package it drives, and must not be found in its place.
    return [str(folder / "bin" / "python"), "-P", "-m", f"tools.peers.rivals.{target.driver}"], folder


def install(target: Target) -> None:
    """Make its environment unless it is there with these pins. Raises NotRun."""
    if target.environment is None:
        return
    folder = home() / target.environment
    pins = PINS / target.environment
    stamp = folder / ".penstock-peers"
    digest = _digest([pins / "package.json", pins / "package-lock.json"] if _is_node(target) else [_pinned(pins)])
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"installing {target.environment} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    if _is_node(target):
        _install_for_node(pins, folder)
    else:
        _run([_python(target.python), "-m", "venv", str(folder)], ROOT)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--no-input", "--no-deps"]
        _run([*pip, "-r", str(_pinned(pins))], ROOT)
    stamp.write_text(digest)


def _install_for_node(pins: Path, folder: Path) -> None:
    _node()
    npm = shutil.which("npm")
    if npm is None:
        raise NotRun("needs npm")
    shutil.copytree(pins, folder)
    # Not `ci`: it refuses a lock that was written on one machine when optional packages of other machines miss.
    _run([npm, "install", "--loglevel=error"], folder)


def _run(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
        raise NotRun(f"cannot be installed: {said[-1]}")


def _is_node(target: Target) -> bool:
    return target.driver.endswith(".mjs")


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        raise NotRun("needs Node")
    return found


def _pinned(pins: Path) -> Path:
    return pins.with_name(f"{pins.name}.txt")


def _python(least: tuple[int, int]) -> str:
    """This interpreter if it is new enough, else the oldest on the machine that is. Raises NotRun."""
    if sys.version_info >= least:
        return os.path.realpath(sys.executable)
    for minor in _MINORS:
        if (3, minor) < least:
            continue
        named = [shutil.which(f"python3.{minor}")]
        # A shim of pyenv on the PATH answers only for the versions that are switched on.
        built = sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python"))
        for program in [*map(str, built), *filter(None, named)]:
            if subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0:
                return program
    raise NotRun(f"needs Python {least[0]}.{least[1]}")


def _digest(files: list[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
