"""Structured logs, to standard error. They hold ids of ours, counts and names of errors, never a value of a person.

Nothing below logs an exception's text or traceback: a driver's message can hold the parameters of a statement.
"""

import logging
import sys
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
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(name)s")
