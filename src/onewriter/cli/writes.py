"""Who may write which field, who tried though it may not, and which fields people correct by hand again and again."""

from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, say, table
from onewriter.customers import log, policies
from onewriter.records import DAY, id_text, iso
from onewriter.rules.policy import Direction, Policy
from onewriter.runtime import now

days_option = click.option(
    "--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How far to look back."
)


@click.command("refused")
@shop_option
@click.option("--field", metavar="FIELD", help="Only tries to write this field.")
@days_option
@limit_option
@as_json
def refused_writes(domain: str | None, field: str | None, days: int, limit: int, as_json: bool) -> int:
    """List who tried to write a field that another system owns, the newest first; exits with 1 if anybody did.

    Beside it stands who may write each of these fields. Values are not shown: `onewriter parked list` has them.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        require(db, Role.VIEWER)
        shop = session.choose_shop(db, domain)
        policy = policies.of_shop(db, shop.id)
        found = log.disallowed(db, shop.id, now() - days * DAY, field, most=limit)
    tries = [
        {
            "at": iso(one.at),
            "heard_at": iso(one.heard_at),
            "writer": one.writer,
            "system": one.system,
            "fields": list(one.fields),
            "customer": id_text(one.customer_id),
            "reason": one.reason,
            "run": one.run_id,
        }
        for one in found
    ]
    named = [field] if field is not None else sorted({name for one in found for name in one.fields})
    document = {"allowed": {name: writers_of(policy, name) for name in named}, "refused": tries}
    answer(as_json, document, lambda: _tell(document))
    return FINDINGS if tries else DONE


def writers_of(policy: Policy, name: str) -> list[str]:
    """Whoever may write a field, its owner first; nobody where no owner is written down."""
    owner = policy.owner_of(name)
    others = sorted(
        system
        for system in policy.systems
        if (each := policy.maps(system).get(name)) is not None and each.direction is Direction.BOTH
    )
    return [*([owner] if owner is not None else []), *(system for system in others if system != owner)]


def _tell(document: dict[str, Any]) -> None:
    if not document["refused"]:
        say("Nobody tried to write what is not theirs.")
        return
    table(("FIELD", "ALLOWED WRITERS"), ([name, ", ".join(who)] for name, who in document["allowed"].items()))
    say()
    columns = ("heard_at", "writer", "fields", "customer", "reason", "run")
    rows = ([" ".join(one[c]) if c == "fields" else one[c] for c in columns] for one in document["refused"])
    table(["HEARD", *(name.upper() for name in columns[1:])], rows)


@click.command("corrections")
@shop_option
@days_option
@as_json
def corrections(domain: str | None, days: int, as_json: bool) -> None:
    """Count corrections by hand, by field and its owner, the most first.

    Each of them is work that a rule ought to have saved: where another system writes the field, mend that one, or give
    the field to whom it belongs.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        require(db, Role.VIEWER)
        shop = session.choose_shop(db, domain)
        documents = _counted(db, shop.id, days)

    def tell() -> None:
        if not documents:
            say("Nothing was corrected by hand.")
            return
        table(("FIELD", "OWNER", "BY HAND"), ([one["field"], one["owner"], one["times"]] for one in documents))

    answer(as_json, documents, tell)


def _counted(db: Connection, shop_id: int, days: int) -> list[dict[str, Any]]:
    policy = policies.of_shop(db, shop_id)
    counts = log.by_hand(db, shop_id, now() - days * DAY)
    return [{"field": name, "owner": policy.owner_of(name), "times": times} for name, times in counts.most_common()]
