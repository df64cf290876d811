"""The history of a customer: who wrote which field, whether that was allowed, and when it was last in step."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from onewriter.cli.output import say, table
from onewriter.customers import clean, log
from onewriter.db.tables import customers
from onewriter.records import dated, iso
from onewriter.runtime import Runtime

LINES_MAX = 200


def history_of(runtime: Runtime, customer_id: bytes, field: str | None, reason: str | None) -> dict[str, Any]:
    """The newest lines of a customer's log, and when each field was last in step with each system.

    With a `reason` for revealing, which is in the access log by now, with the values that are still kept.
    """
    with runtime.database.read() as db:
        shop_id = _shop_of(db, customer_id)
        if reason is None:
            lines = log.of_customer(db, customer_id, LINES_MAX, field)
        else:
            lines = log.opened(db, runtime.vault(shop_id), customer_id, LINES_MAX, field)
        found = clean.last_clean(db, shop_id, customer_id)
    last: dict[str, dict[str, str | None]] = {}
    for (system, name), at in found.items():
        if field is None or name == field:
            last.setdefault(system, {})[name] = iso(at)
    return {"history": [_line(line) for line in lines], "last_clean": last}


def _shop_of(db: Connection, customer_id: bytes) -> int:
    shop_id: int = db.execute(select(customers.c.shop_id).where(customers.c.id == customer_id)).scalar_one()
    return shop_id


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(line) | {"at": iso(line["at"]), "heard_at": iso(line["heard_at"])}
    for name in ("old", "new"):
        if shown.get(name) is not None:
            shown[name] = {field: dated(value) for field, value in shown[name].items()}
    return shown


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
