"""The history of a customer: who wrote which field, whether that was allowed, and when it was last in step."""

from collections.abc import Mapping
from typing import Any

from onewriter.cli.output import say, table


def tell_history(document: Mapping[str, Any]) -> None:
    """Print the history as tables."""
    columns = ["heard_at", "writer", "system", "path", "fields", "accepted", "reason", "run_id"]
    names = ["HEARD", "WRITER", "SYSTEM", "PATH", "FIELDS", "ALLOWED", "WHY", "RUN"]
    if any(line.get("new") is not None for line in document["history"]):
        columns, names = [*columns, "old", "new"], [*names, "OLD", "NEW"]
    rows = [[" ".join(line[c]) if c == "fields" else line.get(c) for c in columns] for line in document["history"]]
    table(names, rows)
    if document["last_clean"]:
        say()
        fields = sorted({name for times in document["last_clean"].values() for name in times})
        systems = sorted(document["last_clean"])
        header = ("LAST IN STEP", *systems)
        table(header, ([name, *(document["last_clean"][system].get(name) for system in systems)] for name in fields))
