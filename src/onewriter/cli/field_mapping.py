"""How a system holds a field, and by what a person is known, as it is typed: for `fields map` and for `cases fix`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import click
import msgspec

from onewriter.cli.fields_told import direction_of
from onewriter.records import SHOPIFY
from onewriter.rules.policy import Direction, FieldMap, KeyRule, Policy
from onewriter.rules.policy_check import LENGTH_MAX, Facts
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
MAPPING = ("remote", "direction", "transform", "options", "max_length", "words", "empty")
"""What the options of a mapping are called in what is given."""
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
KEYS = ("named", "soft_email", "shared_by_max")


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


def mapped(policy: Policy, known: Facts, system: str, field: str, given: Mapping[str, Any]) -> FieldMap:
    """The mapping as it was, with what was given; a limit that the system told of is written down with it."""
    now_held = policy.maps(system).get(field) if system != SHOPIFY else policy.systems.get(SHOPIFY, {}).get(field)
    before: dict[str, Any] = {} if now_held is None else msgspec.to_builtins(now_held)
    remote = given["remote"] or before.get("remote") or (field if system == SHOPIFY else None)
    if remote is None:
        raise click.UsageError(f"--remote is missing: what {system} calls the field")
    way = given["direction"] or before.get("direction") or direction_of(policy, system, field).value
    after = before | {"remote": remote, "direction": Direction(way)}
    if given["transform"] and given["transform"] != before.get("transform"):
        after |= {"transform": given["transform"], "options": {}}
    for name, pairs in (("options", given["options"]), ("enum", given["words"])):
        if pairs:
            after[name] = dict(_pair(each) for each in pairs)
    there = (known.fields or {}).get(remote)
    # A field that holds more than a policy may name is as good as one without a limit.
    told = there.max_length if there is not None and (there.max_length or 0) <= LENGTH_MAX else None
    limit = given["max_length"] or before.get("max_length") or told
    return FieldMap(**after | {"max_length": limit, "empty": given["empty"] or before.get("empty") or "clear"})


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not name or not equals or not value:
        raise click.UsageError("an option or a word is given as NAME=VALUE")
    return name, value


def key_rule(now: KeyRule, named: str | None, soft_email: bool | None, shared_by_max: int | None) -> KeyRule:
    """The rule that counts now, with what was given."""
    rule = now
    if named is not None:
        rule = replace(rule, keys=tuple(each.strip() for each in named.split(",") if each.strip()))
    if soft_email is not None:
        rule = replace(rule, soft_email=soft_email)
    return rule if shared_by_max is None else replace(rule, shared_by_max=shared_by_max)
