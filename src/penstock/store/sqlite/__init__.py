"""The SQLite store: one file, one writer with group commit, readers beside it, several processes on one machine."""

from penstock.store.sqlite.alchemy import begin_immediate
from penstock.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "begin_immediate"]
