"""`python -m systems serve`: all systems in one server, each with its worker and a database of its own."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from fastapi import FastAPI

from penstock import PenstockError
from systems import learning_plans, study_notes
from systems.common.logs import configure_logs
from systems.common.serving import listener, serve
from systems.learning_plans.settings import load_settings as learning_plans_settings
from systems.study_notes.settings import load_settings as study_notes_settings

PORT = 8000
EXIT_FAILED, EXIT_WRONG = 1, 2

app = typer.Typer(
    name="systems",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="All systems that ship with Penstock, together.",
)


class _Mounted:
    """A running system below a prefix."""

    def __init__(self, prefix: str, system: Any) -> None:
        self.prefix = prefix
        self.app: FastAPI = system.app
        self.start: Callable[[], Awaitable[None]] = system.start
        self.stop: Callable[[], Awaitable[int]] = system.stop


@app.callback()
def _root() -> None:
    """All systems that ship with Penstock, together."""


@app.command(name="serve", epilog="LEARNING_PLANS_DATABASE_URL and STUDY_NOTES_DATABASE_URL name other databases.")
def serve_all(
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback is open to the network.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks one.")] = PORT,
) -> None:
    """Serve learning plans below /plans and study notes below /notes, and run their jobs, in this process."""
    configure_logs()
    try:
        code = asyncio.run(_serve(_mounted(), host, port))
    except KeyboardInterrupt:
        code = 130
    except (PenstockError, ValueError) as error:
        typer.echo(f"systems: {error}", err=True)
        code = EXIT_WRONG
    except OSError as error:
        typer.echo(f"systems: {error}", err=True)
        code = EXIT_FAILED
    raise typer.Exit(code)


def _mounted() -> list[_Mounted]:
    """The systems, each on a database of its own: their tables share names. Raises ValueError, PenstockError."""
    if os.environ.get("DATABASE_URL"):
        raise ValueError(
            "DATABASE_URL: each system needs a database of its own here; "
            "set LEARNING_PLANS_DATABASE_URL and STUDY_NOTES_DATABASE_URL"
        )
    plans, notes = learning_plans_settings(), study_notes_settings()
    plans_url = os.environ.get("LEARNING_PLANS_DATABASE_URL") or plans.database_url
    notes_url = os.environ.get("STUDY_NOTES_DATABASE_URL") or notes.database_url
    return [
        _Mounted("/plans", learning_plans.build(plans.model_copy(update={"database_url": plans_url}))),
        _Mounted("/notes", study_notes.build(notes.model_copy(update={"database_url": notes_url}))),
    ]


def combined(systems: list[_Mounted]) -> FastAPI:
    """One application with every system below its prefix; what is open is whoever's who calls."""

    @asynccontextmanager
    async def opened(_: FastAPI) -> AsyncIterator[None]:
        yield

    whole = FastAPI(title="Penstock systems", docs_url=None, redoc_url=None, openapi_url=None, lifespan=opened)

    @whole.get("/")
    async def index() -> dict[str, list[str]]:
        """Where the systems are."""
        return {"systems": [system.prefix for system in systems]}

    for system in systems:
        whole.mount(system.prefix, system.app)
    return whole


async def _serve(systems: list[_Mounted], host: str, port: int) -> int:
    async def start() -> None:
        for system in systems:
            await system.start()

    async def stop() -> int:
        return max(await asyncio.gather(*(system.stop() for system in systems)))

    what = f" ({', '.join(system.prefix for system in systems)}, each with a worker)"
    return await serve(combined(systems), listener(host, port), start, stop, what)


if __name__ == "__main__":
    app(prog_name="python -m systems")
