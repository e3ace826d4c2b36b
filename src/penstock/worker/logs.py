"""Structured logs: what the engine says goes through the standard `logging`, with its fields beside the text.

A library does not configure logging; `configure` is for programs of our own.
"""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Logger = structlog.stdlib.BoundLogger

_SHARED: tuple[Processor, ...] = (structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder())
_RECORD_FIELDS = (vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}) - {"exc_info", "stack_info"}


def get_logger(name: str) -> Logger:
    """A logger whose keyword arguments become fields of the standard log record."""
    processors: list[Processor] = [
        structlog.stdlib.filter_by_level,
        _avoid_record_fields,
        structlog.stdlib.render_to_log_kwargs,
    ]
    logger: Logger = structlog.wrap_logger(
        logging.getLogger(name), processors=processors, wrapper_class=structlog.stdlib.BoundLogger
    )
    return logger


def configure(log_format: str = "auto", level: str = "info") -> None:
    """Send all logs of this process to stderr, one line each.

    log_format: `json`, `console`, or `auto` (console on a terminal, else JSON). level: debug, info, warning or error.
    """
    if log_format == "auto":
        log_format = "console" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.processors.TimeStamper(fmt="iso", utc=True), _add_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _renderers(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]


def _avoid_record_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """`logging` refuses fields with the names of its own; they get an underscore at their end."""
    return {f"{name}_" if name in _RECORD_FIELDS else name: value for name, value in event.items()}


def _add_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: Any = event.get("_record")
    if record is not None:
        event["logger"] = record.name
    return event
