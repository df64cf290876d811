"""How a system holds a field, and by what a person is known, as options: for `fields map` and for `cases fix`."""

from collections.abc import Callable
from typing import Any

import click

from onewriter.rules.policy import Direction
from onewriter.rules.transforms import TRANSFORMS

Command = Callable[..., Any]

_MAPPING = (
    click.option("--remote", metavar="NAME", help="What the system calls the field."),
    click.option(
        "--direction",
        type=click.Choice([each.value for each in Direction]),
        help="How it takes part; what follows from who owns the field, if left out.",
    ),
    click.option(
        "--transform", type=click.Choice(list(TRANSFORMS)), help="How the system writes it otherwise than we do."
    ),
    click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the transform."),
    click.option(
        "--max-length", type=click.IntRange(1), metavar="N", help="Characters that it holds; longer are parked."
    ),
    click.option(
        "--word", "words", multiple=True, metavar="OURS=THEIRS", help="What the system calls one of our words."
    ),
    click.option("--empty", type=click.Choice(["clear", "keep"]), help="What an empty value does to the other side."),
)
_KEYS = (
    click.option(
        "--keys",
        "named",
        metavar="KEY,...",
        help="The keys, the strongest first, out of id, email and phone; else those that count now.",
    ),
    click.option(
        "--soft-email/--no-soft-email", default=None, help="Whether plus-tags and dots of mailboxes may link."
    ),
    click.option(
        "--shared-by-max", type=click.IntRange(1, 1000), metavar="N", help="Who may share a value that links."
    ),
)


def mapping_options(command: Command) -> Command:
    """Add the options by which a mapping is told."""
    for option in reversed(_MAPPING):
        command = option(command)
    return command


def key_options(command: Command) -> Command:
    """Add the options by which it is told by what a person is known."""
    for option in reversed(_KEYS):
        command = option(command)
    return command
