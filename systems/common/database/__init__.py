"""The tables' side that systems share: connections on both stores, columns, upserts."""
