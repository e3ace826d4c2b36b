"""Structured logs: what the engine says goes through the standard `logging`, with its fields beside the text.

A library does not configure logging; `configure` is for programs of our own. Both are small enough to be ours: a
logging library would be a seventh of an idle worker's memory (decision 0010).
"""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

_RECORD_FIELDS = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
_ARGUMENTS = frozenset({"exc_info", "stack_info", "stacklevel", "extra"})
_UNSAID = frozenset({"color_message"})  # uvicorn says some things twice, the second time with colours


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose keyword arguments become fields of the standard log record."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Put the fields where `logging` takes them. It refuses the names of its own: they get an underscore."""
        given = {name: kwargs.pop(name) for name in _ARGUMENTS & kwargs.keys()}
        extra = {f"{name}_" if name in _RECORD_FIELDS else name: value for name, value in kwargs.items()}
        return msg, {**given, "extra": extra}


def get_logger(name: str) -> Logger:
    """The logger of a module."""
    return Logger(logging.getLogger(name), {})


def configure(log_format: str = "auto", level: str = "info") -> None:
    """Send all logs of this process to stderr, one line each.

    log_format: `json`, `console`, or `auto` (console on a terminal, else JSON). level: debug, info, warning or error.
    """
    if log_format == "auto":
        log_format = "console" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Console())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


_Fields: TypeAlias = dict[str, Any]


def _fields(record: logging.LogRecord) -> _Fields:
    known = _RECORD_FIELDS | _UNSAID
    return {name: value for name, value in vars(record).items() if name not in known}


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _Json(logging.Formatter):
    """One JSON object a line: event, level, logger, timestamp, the fields, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: _Fields = {"event": record.getMessage(), "level": record.levelname.lower(), "logger": record.name}
        line |= {"timestamp": _moment(record), **_fields(record)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


class _Console(logging.Formatter):
    """For people: time, level, text and fields; a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = f"{_moment(record)[11:23]} {record.levelname.lower():7} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
