"""Taking a connected system off the list, with all that is known of its records. What was logged of it stays."""

from collections import Counter
from typing import Any

from sqlalchemy import Connection, delete, func, select

from onewriter.customers import erasing, runs, systems
from onewriter.customers.policies import of_shop
from onewriter.customers.systems import System
from onewriter.db.systemtables import expectations
from onewriter.db.tables import links, parked_values, pending_marks, sides
from onewriter.db.tables import runs as run_table
from onewriter.errors import Permanent
from onewriter.records import Instant, RunState

TABLES = {"records": sides, "links": links, "pending": pending_marks, "parked": parked_values, "expected": expectations}
AT_WORK = (RunState.QUEUED.value, RunState.RUNNING.value, RunState.PAUSED.value)


class StillUsed(Permanent):
    """The policy names the system, or a run of it is under way."""


def counted(db: Connection, shop_id: int, name: str) -> Counter[str]:
    """How many rows there are of a system, by what they are."""
    found: Counter[str] = Counter()
    for what, table in TABLES.items():
        query = select(func.count()).select_from(table).where(table.c.shop_id == shop_id, table.c.system == name)
        found[what] = db.execute(query).scalar_one()
    return found


def refuse_used(db: Connection, system: System) -> None:
    """Raise StillUsed while the policy names the system, or a run of it is not over."""
    policy = of_shop(db, system.shop_id)
    owned = sorted(name for name, owner in policy.owners.items() if owner == system.name)
    if owned:
        raise StillUsed(
            f"{system.name} owns {', '.join(owned)}; give each another owner first: `onewriter fields own {owned[0]} "
            "SYSTEM --why WHY`."
        )
    shared = sorted(
        name for name, rule in policy.fields.items() if rule.shared is not None and system.name in rule.shared.writers
    )
    if shared:
        raise StillUsed(f"{system.name} is one of the writers of {', '.join(shared)}; change that rule first.")
    mapped = sorted(policy.systems.get(system.name, ()))
    if mapped:
        raise StillUsed(
            f"{len(mapped)} fields are mapped to {system.name}; take each off first: `onewriter fields map "
            f"{system.name} {mapped[0]} --remove --why WHY`, or set a policy without it with `onewriter fields set`."
        )
    kinds = (runs.cycle_of(system.name), runs.undo_of(system.name))
    active = select(func.count()).where(
        run_table.c.shop_id == system.shop_id, run_table.c.kind.in_(kinds), run_table.c.state.in_(AT_WORK)
    )
    if db.execute(active).scalar_one():
        raise StillUsed(f"A run of {system.name} is not over; `onewriter runs list` shows it.")


def remove(db: Connection, system: System, now: Instant) -> Counter[str]:
    """Take a system off the list with all that is known of its records; how much of each that was.

    The keys of its unlinked records are destroyed by `erasing.end`, after the commit.
    """
    refuse_used(db, system)
    found = counted(db, system.shop_id, system.name)
    strangers = select(sides.c.key_id).where(
        sides.c.shop_id == system.shop_id, sides.c.system == system.name, sides.c.customer_id.is_(None)
    )
    keys = [bytes(each) for each in db.execute(strangers).scalars()]
    for table in TABLES.values():
        db.execute(_of(table, system))
    erasing.end_keys(db, system.shop_id, keys, now)
    systems.remove(db, system.shop_id, system.name)
    return found


def _of(table: Any, system: System) -> Any:
    return delete(table).where(table.c.shop_id == system.shop_id, table.c.system == system.name)
