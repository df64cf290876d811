"""How connected systems are shown to people, and to programs."""

from collections.abc import Sequence
from typing import Any

from onewriter.cli.output import details, say, table
from onewriter.rules.policy import Policy

Document = dict[str, Any]
LISTS = ("mapping", "fields", "pending_by_field", "capabilities")


def tell_system(document: Document, most: int) -> None:
    """Show a system: its own lines, then its mapping, then the fields that it has and nobody mapped."""
    details({name: value for name, value in document.items() if name not in LISTS})
    say()
    if document["mapping"]:
        columns = ("field", "remote", "direction", "owner")
        table(("FIELD", "THERE", "DIRECTION", "OWNER"), ([one[c] for c in columns] for one in document["mapping"]))
    else:
        say(f"Nothing is mapped yet; `onewriter fields map {document['name']} FIELD --remote NAME` does that.")
    mapped = {one["remote"] for one in document["mapping"]}
    free = [one for one in document["fields"] if one["name"] not in mapped]
    if free:
        say()
        tell_fields(free, most)
    if document["question_waits"]:
        say("\nA question about it waits: `onewriter questions list` shows it.")


def tell_fields(fields: Sequence[Document], most: int) -> None:
    """The fields of a system, as it describes them."""
    rows = (
        (one["name"], one.get("type", "text"), one.get("writable", True), one.get("max_length"), _words(one))
        for one in fields[:most]
    )
    table(("ITS FIELDS", "TYPE", "WRITABLE", "LENGTH", "WORDS"), rows)
    if len(fields) > most:
        say(f"and {len(fields) - most} more.")


def _words(one: Document) -> str | None:
    return ", ".join(one["enum"][:8]) if one.get("enum") else None


def tell_checked(name: str, document: Document, policy: Policy) -> None:
    """What a check came to, a line each."""
    for message in document["problems"]:
        say(f"error    {message}")
    for each in document["policy"]:
        say(f"{each['severity']:<7}  {each['field'] or name}: {each['message']}")
    if document["ok"]:
        count = len(policy.maps(name))
        say(f"{name} lets us do all that its mapping needs: {count} field{'' if count == 1 else 's'}.")
