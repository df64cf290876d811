"""Structured logs, to standard error. They hold ids of ours, counts and names of errors, never a value of a person.

Nothing below logs an exception's text or traceback: a driver's message can hold the parameters of a statement.
"""

import logging
import sys
import threading
from typing import Any

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str, form: str) -> None:
    """Set the logs of this process up."""
    number = LEVELS[level]
    renderer: Any = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        # A program that calls us, such as a test, may replace standard error after the first line was logged.
        cache_logger_on_first_use=False,
    )
    # Libraries may put what they handle into their messages; only what went wrong in general is let through.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_NamesOnly())
    threading.excepthook = _tell_of_thread


class _NamesOnly(logging.Formatter):
    """Who complains, how loudly, and the type of the error, if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, without the message and the traceback."""
        kind = record.exc_info[0] if record.exc_info else None
        return f"{record.levelname} {record.name}{f' ({kind.__name__})' if kind else ''}"


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    """A thread that ends by an error: by default Python prints the error's text and the source lines."""
    if ended.exc_type is not SystemExit:
        structlog.get_logger(__name__).error("thread ended", error=ended.exc_type.__name__)
