"""The PostgreSQL store: programs run over psycopg connections, async or blocking."""

from penstock.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
