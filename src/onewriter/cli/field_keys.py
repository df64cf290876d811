"""`onewriter fields keys`: by what a person is known, and what would change if that were something else."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.field_mapping import key_options
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, note, say, table
from onewriter.customers import key_changes, policies
from onewriter.customers.key_changes import Change, Changes
from onewriter.desk.mapping import key_rule
from onewriter.records import id_text
from onewriter.rules.policy import KeyRule

EXAMPLES = 10
TOLD_EVERY = 10_000
WORDS = {
    "splits": "links that would be gone",
    "moves": "records that would be another customer's",
    "joins": "records of nobody that would be linked",
}


@click.group("keys")
def keys() -> None:
    """See by what a person is known, and what another rule would change."""


@keys.command("check")
@key_options
@click.option("--examples", type=click.IntRange(0, 1000), default=EXAMPLES, show_default=True, help="Of each kind.")
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
    with session.opened() as runtime, runtime.database.read() as db:
        require(db, Role.VIEWER)
        shop = session.choose_shop(db, domain)
        policy = policies.of_shop(db, shop.id)
        rule = key_rule(policy.identity, named, soft_email, shared_by_max)
        found = key_changes.compare(db, runtime.vault(shop.id), policy, rule, examples, _tell_progress)
    document = {"shop": shop.domain, "keys": _shown(rule), "keys_now": _shown(policy.identity)} | _document(found)
    answer(as_json, document, lambda: _tell(document))
    return DONE if found.is_empty else FINDINGS


def _tell_progress(looked: int) -> None:
    if looked and looked % TOLD_EVERY == 0:
        note(f"{looked:,} records looked at ...")


def _shown(rule: KeyRule) -> dict[str, Any]:
    return {"keys": list(rule.keys), "soft_email": rule.soft_email, "shared_by_max": rule.shared_by_max}


def _document(found: Changes) -> dict[str, Any]:
    counts = {kind: found.counts[kind] for kind in WORDS}
    told = {kind: [_change(each) for each in some] for kind, some in found.examples.items()}
    return {"records": found.looked, "by_hand": found.counts["by hand"], "counts": counts, "examples": told}


def _change(one: Change) -> dict[str, Any]:
    return {
        "system": one.system,
        "record": one.record,
        "customer": None if one.now is None else id_text(one.now),
        "then": None if one.then is None else id_text(one.then),
        "waits_for_a_person": one.waits,
        "reason": one.reason,
    }


def _tell(document: Mapping[str, Any]) -> None:
    rule = document["keys"]
    soft = "with" if rule["soft_email"] else "without"
    most = rule["shared_by_max"]
    say(f"Keys: {', '.join(rule['keys'])}, {soft} mailboxes in other forms; what more than {most} share links nobody.")
    say(f"{document['records']:,} records were matched again; {document['by_hand']:,} are linked by hand and stay so.")
    for kind, words in WORDS.items():
        say(f"{document['counts'][kind]:,} {words}.")
        _tell_examples(document["examples"][kind])
    say("Nothing was changed.")


def _tell_examples(some: Sequence[Mapping[str, Any]]) -> None:
    if some:
        names = ("SYSTEM", "RECORD", "CUSTOMER NOW", "THEN", "WHY")
        columns = ("system", "record", "customer", "then", "reason")
        table(names, ([each[name] for name in columns] for each in some))
