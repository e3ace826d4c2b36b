"""The command line: `penstock …`. Each group of commands is a module of its own, imported only when it is asked for."""

from penstock.cli.root import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the program on `sys.argv`; never returns."""
    app(prog_name="penstock")
