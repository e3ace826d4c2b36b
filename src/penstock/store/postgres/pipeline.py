"""One of our own connections, kept in libpq's pipeline mode: a trip is one write, one wait, and reading the answers.

psycopg's cursors enter and leave the pipeline for each trip and register with the loop for each wait, which is most of
what a trip costs us. Here the connection stays in the pipeline, and registered, until it is closed.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import Diagnostic, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult

from penstock.store.postgres.parameters import Query
from penstock.store.postgres.wire import Trip
from penstock.store.program import Row

# More than there are statements, times the few combinations of parameter types each is called with.
_PREPARED_MAX = 400
_CANCEL_SECONDS = 5.0
_LOOK_SECONDS = 0.25
"""How long a trip goes without a sign before the socket is asked: uvloop has been seen to forget a socket whose number

had belonged to a connection that the server cut a moment before (a server stopped and started again).
"""


class _Bound(NamedTuple):
    """A query as the server takes it. `prepare`: under a name, so that it is parsed once."""

    sql: bytes
    types: tuple[int, ...]
    values: Sequence[Buffer | None] | None
    formats: list[Format] | None
    prepare: bool


class PipelinedWire:
    """A connection of the running loop; for one user at a time."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        """Take over a connection in autocommit mode. Nothing else may use it from now on."""
        self._connection = connection
        self._server = connection.pgconn
        self._encoding = connection.info.encoding
        self._prepares = connection.prepare_threshold is not None
        self._transformer = Transformer(connection)
        self._names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        # The names given in this trip, and the places of their answers in it.
        self._named: list[tuple[int, tuple[bytes, tuple[int, ...]]]] = []
        self._results: list[PGresult] = []
        self._answered: asyncio.Future[None] | None = None
        self._copied: bytes | None = None
        self._lost: str | None = None
        self._farewell: str | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = self._server.socket
        connection.add_notice_handler(self._on_notice)
        self._server.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._on_input)

    @property
    def closed(self) -> bool:
        """Whether it is of no more use. That the server has closed it is noticed between trips, too."""
        return self._lost is not None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, also one that has failed."""
        return self._server.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    async def send(self, trip: Trip) -> list[Row]:
        """Run a trip. Cancelled meanwhile, it closes the connection: nobody else may meet the answers."""
        bound = [] if trip[0].copy is not None else [self._bind(query) for query in trip]
        if self._lost is not None:
            raise psycopg.OperationalError(self._lost)
        self._results = []
        self._answered = self._loop.create_future()
        if bound:
            self._write(bound)
        else:
            self._begin_copy(trip[0])
        self._look_in = self._loop.call_later(_LOOK_SECONDS, self._look)
        try:
            await self._answered
        except BaseException:  # also a coroutine that is thrown away
            self._detach("a trip was cancelled")
            raise
        finally:
            self._look_in.cancel()
            self._answered = None
        if self._copied is not None:
            self._copied = None
            if self._lost is None:
                self._server.enter_pipeline_mode()
        return self._rows()

    async def close(self) -> None:
        """Close the connection; what the server still does for it is cancelled."""
        self._detach("the connection is closed")
        try:
            if self._server.transaction_status == TransactionStatus.ACTIVE:
                with suppress(psycopg.Error):
                    await self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
        finally:
            await self._connection.close()

    def _bind(self, query: Query) -> _Bound:
        prepare = self._prepares and query.prepare is not False
        if not query.values:
            return _Bound(query.sql, (), None, None, prepare)
        transformer = self._transformer
        values = transformer.dump_sequence(query.values, [PyFormat.AUTO] * len(query.values))
        return _Bound(query.sql, transformer.types or (), values, transformer.formats, prepare)

    def _begin_copy(self, query: Query) -> None:
        """A COPY has to leave the pipeline; its lines follow when the server asks for them."""
        self._named = []
        self._copied = query.copy
        try:
            self._server.exit_pipeline_mode()
            self._server.send_query(query.sql)
            self._flush()
        except psycopg.Error as error:
            self._break(error)

    def _flush(self) -> None:
        if self._server.flush():
            self._loop.add_writer(self._socket, self._on_output)

    def _write(self, bound: list[_Bound]) -> None:
        server = self._server
        self._named = []
        place = 0
        try:
            for query in bound:
                key = (query.sql, query.types)
                name = self._names.get(key) if query.prepare else None
                if name is None and query.prepare and len(self._names) < _PREPARED_MAX:
                    name = self._names[key] = b"penstock_%d" % len(self._names)
                    self._named.append((place, key))
                    server.send_prepare(name, query.sql, query.types)
                    place += 1
                if name is None:
                    server.send_query_params(query.sql, query.values, query.types, query.formats)
                else:
                    server.send_query_prepared(name, query.values, query.formats)
                place += 1
            server.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            self._break(error)

    def _on_output(self) -> None:
        try:
            if not self._server.flush():
                self._loop.remove_writer(self._socket)
                self._on_input()  # sending a lot, libpq may have read what the loop will not tell of again
        except psycopg.Error as error:
            self._break(error)

    def _on_input(self) -> None:
        server = self._server
        try:
            server.consume_input()
            # Between trips there are no results, but asking makes libpq look at what has come.
            while not server.is_busy() and self._answered is not None and not self._answered.done():
                result = server.get_result()
                if result is None:  # the end of one query's results; of all, when the connection has broken
                    if server.status == ConnStatus.BAD:
                        raise psycopg.OperationalError(server.get_error_message())
                    if self._copied is not None:
                        self._answered.set_result(None)
                        return
                elif result.status == ExecStatus.PIPELINE_SYNC:
                    self._answered.set_result(None)
                    return
                elif result.status == ExecStatus.COPY_IN and self._copied is not None:
                    server.put_copy_data(self._copied)
                    server.put_copy_end()
                    self._flush()
                else:
                    self._results.append(result)
        except psycopg.Error as error:
            self._break(error)

    def _look(self) -> None:
        """Nothing was heard for a while: have the loop watch the socket anew, and see whether something lies there."""
        if self._lost is None and self._answered is not None and not self._answered.done():
            self._loop.remove_reader(self._socket)
            self._loop.add_reader(self._socket, self._on_input)
            self._look_in = self._loop.call_later(_LOOK_SECONDS, self._look)
            self._on_input()

    def _on_notice(self, diagnostic: Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "FATAL":
            self._farewell = diagnostic.message_primary

    def _rows(self) -> list[Row]:
        results, self._results = self._results, []
        for place, result in enumerate(results):
            if result.status == ExecStatus.FATAL_ERROR:
                for named, key in self._named:
                    if named >= place:  # the server has not come to it
                        del self._names[key]
                raise error_from_result(result, self._encoding)
        if self._lost is not None:
            raise psycopg.OperationalError(self._lost)
        last = results[-1]
        if last.status != ExecStatus.TUPLES_OK:
            return []
        self._transformer.set_pgresult(last)
        try:
            return self._transformer.load_rows(0, last.ntuples, tuple)
        finally:
            self._transformer.set_pgresult(None)

    def _break(self, error: psycopg.Error) -> None:
        """The connection is lost; whoever waits is told, by `_rows`."""
        self._detach(self._farewell or str(error))
        self._server.finish()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def _detach(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
            # Before the socket is closed: its number may then belong to another.
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
