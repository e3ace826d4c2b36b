"""Keys that services want in the address must not get into the logs."""

import logging

import httpx2


class _NoQueries(logging.Filter):
    """Takes the query off every address in a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                part.copy_with(query=None) if isinstance(part, httpx2.URL) else part for part in record.args
            )
        return True


_NO_QUERIES = _NoQueries()


def keep_queries_out_of_logs() -> None:
    """The HTTP client logs addresses: from now on without their queries."""
    logging.getLogger("httpx2").addFilter(_NO_QUERIES)
