"""What another identity rule would change: which links would be gone, and which there would be. Nothing is changed.

Every record of every connected system is matched again as if it had just been read; links that people made stay theirs,
and so do those of records that were made there for their customers.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, select

from onewriter.customers import links, matching, remote, strangers
from onewriter.customers.links import CREATED, LINKED, PERSON, Found, Linked, Review
from onewriter.db.tables import sides
from onewriter.records import SHOPIFY
from onewriter.rules.identity import rule_of
from onewriter.rules.policy import KeyRule, Policy
from onewriter.vault.vault import ShopVault

PAGE = 500


@dataclass(frozen=True, slots=True)
class Change:
    """One record that would belong to somebody else."""

    system: str
    record: str
    now: bytes | None
    """Whose it is; None for nobody's."""
    then: bytes | None
    """Whose it would be."""
    waits: bool
    """A person would have to look at it."""
    reason: str


@dataclass(slots=True)
class Changes:
    """What another rule would change, counted, with the first few of each as examples."""

    looked: int = 0
    """Records that were matched again."""
    counts: Counter[str] = field(default_factory=Counter)
    """splits: links that would be gone; moves: to another customer; joins: links that there would be; by hand: left."""
    examples: dict[str, list[Change]] = field(default_factory=lambda: {"splits": [], "moves": [], "joins": []})

    @property
    def is_empty(self) -> bool:
        """True if no link would be gone and none would come."""
        return not any(self.counts[kind] for kind in self.examples)

    def add(self, kind: str, one: Change, most: int) -> None:
        """Count one, and keep it as an example while there are few."""
        self.counts[kind] += 1
        if len(self.examples[kind]) < most:
            self.examples[kind].append(one)


def compare(
    db: Connection,
    vault: ShopVault,
    policy: Policy,
    keys: KeyRule,
    most: int,
    tell: Callable[[int], None] = lambda _looked: None,
) -> Changes:
    """What would change if these were the keys of identity. Raises NotUnderstood for what can be none, such as names.

    `most` is how many examples of each are given; `tell` hears how many records were looked at so far.
    """
    rule_of(keys)
    found = Changes()
    then = replace(policy, identity=keys)
    # What Shopify tells of a customer is the customer, and is matched with nobody.
    for system in sorted(policy.systems.keys() - {SHOPIFY}):
        for names in _pages(db, vault.shop_id, system):
            _compare(db, vault, then, system, names, found, most)
            tell(found.looked)
    return found


def _pages(db: Connection, shop_id: int, system: str) -> Iterator[list[str]]:
    """The names of all records that the system has, a page at a time."""
    after = ""
    while True:
        query = select(sides.c.record_id).where(
            sides.c.shop_id == shop_id, sides.c.system == system, sides.c.record_id > after, sides.c.gone_at.is_(None)
        )
        names = list(db.execute(query.order_by(sides.c.record_id).limit(PAGE)).scalars())
        if not names:
            return
        yield names
        after = names[-1]


def _compare(
    db: Connection, vault: ShopVault, then: Policy, system: str, names: Sequence[str], found: Changes, most: int
) -> None:
    held = remote.load(db, vault, system, names)
    certain = {
        each.record: each.matched_by
        for each in links.among(db, vault.shop_id, system, names)
        if each.state == LINKED and each.matched_by in (PERSON, CREATED)
    }
    people = [strangers.of_remote(then, each) for name, each in held.items() if name not in certain]
    told = matching.find(db, vault, then, system, people, anew=True)
    found.looked += len(held)
    found.counts["by hand"] += Counter(certain.values())[PERSON]
    for name, whose in _whose(told).items():
        before = held[name].customer_id
        if whose == before:
            continue
        kind = "joins" if before is None else "splits" if whose is None else "moves"
        waits = isinstance(told[name], Review)
        found.add(kind, Change(system, name, before, whose, waits, told[name].reason), most)


def _whose(told: Mapping[str, Found]) -> dict[str, bytes | None]:
    return {name: each.customer_id if isinstance(each, Linked) else None for name, each in told.items()}
