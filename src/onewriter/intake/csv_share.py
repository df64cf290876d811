"""How much of a file is news: which customers it is of, and of how many it would change something."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.customers import remote
from onewriter.db.bulk import in_chunks
from onewriter.intake.reading import Reading, comes_in

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Share:
    """The customers of a file, and how many of them it would change."""

    customers: frozenset[bytes]
    changed: int

    @property
    def percent(self) -> float:
        """The share of them; 0 of nobody."""
        return 100 * self.changed / len(self.customers) if self.customers else 0.0

    def document(self, limit: int) -> dict[str, float]:
        """The same in figures."""
        return {"customers": len(self.customers), "changed": self.changed, "percent": self.percent, "limit": limit}

    def refusal(self, limit: int) -> str:
        """Why an import stops before it writes anything."""
        return (
            f"The file would change {self.changed:,} of its {len(self.customers):,} customers, which is more than "
            f"{limit} %, so nothing was changed; if it is meant, an owner "
            "imports it with --allow-share PERCENT --why WHY."
        )


def measured(db: Connection, reading: Reading, names: Sequence[str]) -> Share:
    """The share of these records, once they are taken in; nothing is opened."""
    shop, system = reading.vault.shop_id, reading.system
    people: set[bytes] = set()
    for some in in_chunks(names, AT_ONCE):
        known = remote.glance(db, shop, system, [reading.vault.key.record_name(system, each) for each in some])
        people.update(each.customer_id for each in known.values() if each.customer_id is not None)
    changed: set[bytes] = set()
    ways, after = comes_in(reading.policy, system), ""
    while True:
        found, after = remote.unclean(db, shop, system, ways, after, AT_ONCE)
        changed.update(customer for customer, _name in found if customer in people)
        if not after:
            return Share(frozenset(people), len(changed))
