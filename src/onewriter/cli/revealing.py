"""Revealing protected values: who saw which fields of whom, and why, is written to the log. Never a value."""

from collections.abc import Sequence

import structlog

from onewriter.cli.session import actor


def note_reveal(shop: str, why: str, *, fields: Sequence[str], **subject: str | int) -> None:
    """Log one act of revealing. `subject` names what was opened by an id of ours."""
    log = structlog.get_logger(__name__)
    # A warning, so that it is in the log whatever usual level the log is set to.
    log.warning("values revealed", actor=actor(), shop=shop, fields=list(fields), why=why, **subject)
