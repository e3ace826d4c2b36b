"""Logs of the system's own programs: one line each on stderr, with the fields beside the text."""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def configure_logs(level: str = "info") -> None:
    """Send all logs of this process to stderr: readable on a terminal, else JSON. `level` as `logging` names it."""
    on_terminal = sys.stderr.isatty()
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_colours,
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if on_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _without_colours(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # uvicorn says some things twice, the second time with colours.
    event.pop("color_message", None)
    return event
