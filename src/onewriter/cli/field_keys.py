"""`onewriter fields keys`: by what a person is known, and what would change if that were something else."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.field_mapping import key_options
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, note, say, table
from onewriter.desk import key_rules
from onewriter.desk.key_rules import EXAMPLES, EXAMPLES_MAX, KINDS, Given

TOLD_EVERY = 10_000


@click.group("keys")
def keys() -> None:
    """See by what a person is known, and what another rule would change."""


@keys.command("check")
@key_options
@click.option(
    "--examples", type=click.IntRange(0, EXAMPLES_MAX), default=EXAMPLES, show_default=True, help="Of each kind."
)
@shop_option
@as_json
def check(
    named: str | None,
    soft_email: bool | None,
    shared_by_max: int | None,
    examples: int,
    domain: str | None,
    as_json: bool,
) -> int:
    """Show what other keys of identity would split and join, before they are set; nothing is changed.

    Every record of every connected system is matched again with these keys. Without options it is matched with the keys
    that count now, which tells what has changed since the links were made. Links that people made stay, and so do pairs
    that they took apart. Exits with 1 when a link would be gone or come. A name is never a key.
    """
    given: Given = {"named": named, "soft_email": soft_email, "shared_by_max": shared_by_max}
    with session.opened() as runtime:
        shop = session.shop_named(runtime, domain)
        document = key_rules.check(session.caller(runtime), shop, given, examples, _tell_progress)
    answer(as_json, document, lambda: _tell(document))
    return FINDINGS if key_rules.changes_anything(document) else DONE


def _tell_progress(looked: int) -> None:
    if looked and looked % TOLD_EVERY == 0:
        note(f"{looked:,} records looked at ...")


def _tell(document: Mapping[str, Any]) -> None:
    rule = document["keys"]
    soft = "with" if rule["soft_email"] else "without"
    most = rule["shared_by_max"]
    say(f"Keys: {', '.join(rule['keys'])}, {soft} mailboxes in other forms; what more than {most} share links nobody.")
    say(f"{document['records']:,} records were matched again; {document['by_hand']:,} are linked by hand and stay so.")
    for kind, words in KINDS.items():
        say(f"{document['counts'][kind]:,} {words}.")
        _tell_examples(document["examples"][kind])
    say("Nothing was changed.")


def _tell_examples(some: Sequence[Mapping[str, Any]]) -> None:
    if some:
        names = ("SYSTEM", "RECORD", "CUSTOMER NOW", "THEN", "WHY")
        columns = ("system", "record", "customer", "then", "reason")
        table(names, ([each[name] for name in columns] for each in some))
