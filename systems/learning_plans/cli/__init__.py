"""The command line: serve, worker, create, set-tier."""

from systems.learning_plans.cli.root import main

__all__ = ["main"]
