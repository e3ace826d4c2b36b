"""How the program finds its commands and says what went wrong."""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from penstock.errors import PenstockError

DEBUG = "penstock.debug"


def examples(*lines: str) -> str:
    """An epilog that shows calls, each on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class Group(TyperGroup):
    """A group of commands; without one of them it shows its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base, `--help` standing in for nothing."""
        return super().parse_args(ctx, args or ["--help"])


def commands(text: str | None = None) -> typer.Typer:
    """An empty set of commands; one command alone needs no name."""
    return typer.Typer(cls=Group, help=text, rich_markup_mode=None, add_completion=False)


class Root(Group):
    """The program itself. Errors are one line on stderr; exit codes: 0 done, 1 it failed, 2 it was called wrongly."""

    modules: dict[str, str] = {}  # noqa: RUF012 - filled once by the module that declares the commands

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command, from its module: what is listed here is only its name and its one line of help."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self.modules:
            command = typer.main.get_command(import_module(self.modules[name]).app)
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error becomes its one line, unless `--debug` asks for the traceback."""
        try:
            return super().invoke(ctx)
        except PenstockError as error:
            if ctx.meta.get(DEBUG):
                raise
            complain(str(error))
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except BrokenPipeError:
            # Whoever read our output has seen enough (`penstock jobs list | head`).
            sys.stderr.close()
        except Exception as error:
            if ctx.meta.get(DEBUG):
                raise
            complain(f"unexpected {type(error).__name__}: {error} (penstock --debug … shows where)")
        raise typer.Exit(1)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run and exit."""
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            hint = f"; see {context.command_path} --help" if context else ""
            complain(error.format_message().rstrip(".") + hint)
            sys.exit(error.exit_code)
        except typer.Abort:
            complain("nothing was done")
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def complain(text: str) -> None:
    """One line on stderr."""
    typer.echo(f"penstock: {' '.join(text.split())}", err=True)
