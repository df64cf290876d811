"""Rivals: several records of one system that may be the same customer.

The one with the strongest key wins, and where two are as strong a person decides about each of them: whichever was read
first, and however many were read at once.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from onewriter.customers import links
from onewriter.customers.links import LINKED, REVIEW, Found, Link, Linked, Review
from onewriter.records import Instant
from onewriter.rules.identity.decide import ORDER
from onewriter.vault.vault import ShopVault


@dataclass(slots=True)
class Rivals:
    """Those among the records of one system that are looked at now, and those that were looked at before."""

    db: Connection
    vault: ShopVault
    system: str
    names: Collection[str]
    """The records that are looked at now."""
    began: Instant | None
    """When the reading began, since which nothing that was linked has been used."""
    ranks: dict[str, int] = field(default_factory=dict)
    """Record: how strong the key is that would link it; the less, the stronger."""
    others: dict[bytes, dict[str, Link]] = field(default_factory=lambda: defaultdict(dict))
    """Customer: other records, by name, that this reading has linked already, or that wait since there are several."""

    def look(self, customers: Collection[bytes]) -> None:
        """Find out which other records have been found to be these customers."""
        for each in links.of_people(self.db, self.vault.shop_id, sorted(customers)):
            if each.system != self.system or each.record in self.names or each.matched_by not in ORDER:
                continue
            is_early = each.state == LINKED and not each.is_gone and self.began is not None
            if (is_early and each.made_at >= (self.began or 0)) or (each.state, each.reason) == (REVIEW, self._reason):
                self.others[each.customer_id][each.record] = each

    def early(self, customer: bytes) -> set[str]:
        """The records that this reading has found to be that customer's already."""
        return {name for name, each in self.others.get(customer, {}).items() if each.state == LINKED}

    @property
    def _reason(self) -> str:
        return f"several records of {self.system} may be that customer"

    def settle(self, found: Mapping[str, Found]) -> dict[str, Found]:
        """What becomes of those that have a rival, by name."""
        claims: dict[bytes, dict[str, int]] = defaultdict(dict)
        for name, rank in self.ranks.items():
            one = found[name]
            assert isinstance(one, Linked)
            claims[one.customer_id][name] = rank
        settled: dict[str, Found] = {}
        for customer, ours in claims.items():
            others, early = self.others.get(customer, {}), self.early(customer)
            ranks = ours | {name: ORDER.index(each.matched_by) for name, each in others.items()}
            best = min(ranks.values())
            wins = [name for name, rank in ranks.items() if rank == best]
            for name in {*ours, *early} - {*(wins if len(wins) == 1 else ())}:
                settled[name] = Review((customer,), ORDER[ranks[name]], self._reason, unlinks=name in early)
        return settled
