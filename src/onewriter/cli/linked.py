"""How links look for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from onewriter.cli.output import say, table
from onewriter.customers.deciding import COMPARED


def tell_links(told: Sequence[Mapping[str, Any]], *, reveal: bool) -> None:
    """Tell people which records are whose."""
    if not told:
        say("Nothing is linked there, and nothing waits to be.")
        return
    columns = ["system", "record", *(["record_id"] if reveal else []), "customer", "shopify_id", "state", "matched_by"]
    columns += ["reason", "made_at", "made_by"]
    table([name.upper().replace("_", " ") for name in columns], ([each[name] for name in columns] for each in told))


def tell_pairs(told: Sequence[Mapping[str, Any]]) -> None:
    """Tell people which pairs wait for them."""
    if not told:
        say("No link waits to be looked at.")
        return
    for place, each in enumerate(told):
        if place:
            say()
        say(f"Record {each['record']} of {each['system']}, customer {each['shopify_id'] or each['customer']}")
        say(f"By {each['matched_by']}: {each['reason']}, since {each['made_at']}")
        rows = [[name, each["record_says"][name], each["customer_has"][name]] for name in COMPARED]
        table(("FIELD", "THE RECORD SAYS", "THE CUSTOMER HAS"), rows)
