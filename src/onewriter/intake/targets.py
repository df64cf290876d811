"""What the sender writes to: a connected system through its connector, or Shopify itself.

Both are looked at in the same way: `look` reads the records of some customers now and takes in what they say, and
`held` says what we hold of them then. Nothing is ever written to a record that was not just read.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from onewriter.connectors.interface import Connector, Deleted, Discovery, FieldPatch, Outcome, Record
from onewriter.connectors.shopify import ShopifyConnector
from onewriter.customers import links, owned, profiles, remote
from onewriter.customers.owned import Owned
from onewriter.customers.remote import Keys, Remote
from onewriter.db.engine import Database
from onewriter.errors import SystemChanged
from onewriter.intake import others
from onewriter.intake.apply import apply, lock_for
from onewriter.intake.extras import take_extras
from onewriter.intake.inbound import the_one
from onewriter.intake.reading import Reading
from onewriter.intake.relinking import settle_again
from onewriter.intake.take import apart, take
from onewriter.records import SHOPIFY, Instant
from onewriter.rules.policy import CUSTOM, ONEWRITER, POINTS
from onewriter.rules.tags import split_tags
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import read_customers

VANISHED_FLOOR = 20
"""More than so many records that are missing at once, and more than 1 % of all, are not simply gone."""


class Target(Protocol):
    """One system as the sender sees it."""

    reading: Reading

    def discover(self) -> Discovery:
        """Its fields, and what it can do."""

    def look(self, ids: Sequence[bytes]) -> None:
        """Read the records of these customers now, and take in what they say."""

    def held(self, db: Connection, ids: Sequence[bytes], keys: Keys | None = None) -> dict[bytes, Remote]:
        """The one record that each of these customers has there, as we hold it; `keys` are open already."""

    def take(self, records: Sequence[Record]) -> None:
        """Take in what records say by now."""

    def find(self, values: Sequence[str], by: str) -> int:
        """Take in the records that have one of these values in a field; how many there are."""

    def link_made(
        self, db: Connection, made: Mapping[bytes, Record], people: Mapping[bytes, Owned], now: Instant
    ) -> None:
        """Take down which record was made there for whom."""

    def note_apart(self, db: Connection, ids: Collection[bytes], now: Instant) -> None:
        """Write down that the records of these customers are not in step, as they cannot be told."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """Write; one outcome for each patch."""


@dataclass(slots=True)
class SystemTarget:
    """A connected system."""

    database: Database
    reading: Reading
    connector: Connector
    clock: Callable[[], Instant]
    _missed: set[str] = field(default_factory=set)
    """The records that this cycle has asked for and not found."""

    def discover(self) -> Discovery:
        return self.connector.discover()

    def look(self, ids: Sequence[bytes]) -> None:
        with self.database.read() as db:
            records = remote.of_customers(db, self.reading.vault, self.reading.system, ids)
        there = [each.id for some in records.values() for each in some if each.gone is None]
        if not there:
            return
        found: list[Record | Deleted] = list(self.connector.read_keys(there))
        missing = set(there) - {each.id for each in found}
        self._missed |= missing
        if self._are_too_many(len(self._missed)):
            reason = "Many of the records that were asked for are missing; a full cycle has to look first."
            raise SystemChanged(f"{reason} Queue one: onewriter systems cycle {self.reading.system} --full")
        self._take([*found, *(Deleted(each) for each in sorted(missing))])

    def _are_too_many(self, missing: int) -> bool:
        """Whether so many cannot have been deleted: the same bound as a full reading has, over the whole cycle."""
        if missing <= VANISHED_FLOOR:
            return False
        with self.database.read() as db:
            return missing > len(remote.every_name(db, self.reading.vault.shop_id, self.reading.system)) // 100

    def take(self, records: Sequence[Record]) -> None:
        self._take(records)

    def _take(self, told: Sequence[Record | Deleted], *, anew: bool = False) -> None:
        for some in apart(told):
            with self.database.write() as db:
                take(db, self.reading, some, self.clock(), anew=anew)

    def held(self, db: Connection, ids: Sequence[bytes], keys: Keys | None = None) -> dict[bytes, Remote]:
        records = remote.of_customers(db, self.reading.vault, self.reading.system, ids, keys)
        return {customer: one for customer, some in records.items() if (one := the_one(some)) is not None}

    def note_apart(self, db: Connection, ids: Collection[bytes], now: Instant) -> None:
        held = self.held(db, sorted(ids)) if ids else {}
        settle_again(db, self.reading, [one.name for one in held.values()], now, marking=False)

    def find(self, values: Sequence[str], by: str) -> int:
        found = list(self.connector.read_keys(values, by))
        self._take(found, anew=True)
        return len(found)

    def link_made(
        self, db: Connection, made: Mapping[bytes, Record], people: Mapping[bytes, Owned], now: Instant
    ) -> None:
        vault, system = self.reading.vault, self.reading.system
        found = {
            vault.key.record_name(system, record.id): links.Linked(
                customer, links.CREATED, "made there for this customer"
            )
            for customer, record in made.items()
        }
        # Whoever was hidden meanwhile is linked to nothing; the record is read as nobody's by the next cycle.
        linked = set(links.link(db, vault, system, found, self.reading.policy.version, ONEWRITER, now).values())
        sides = [self._made(each, record, people, now) for each, record in made.items() if each in linked]
        remote.save(db, vault, sides, now)

    def _made(self, customer: bytes, record: Record, people: Mapping[bytes, Owned], now: Instant) -> Remote:
        """The side of a record that was just made: whatever it holds is looked at when it is read back."""
        name = self.reading.vault.key.record_name(self.reading.system, record.id)
        one = Remote(self.reading.system, name, record.id, dict(record.fields), customer, customer, heard=now)
        one.key, one.version = people[customer].key, record.version
        return one

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return self.connector.write(patches)


@dataclass(slots=True)
class ShopifyTarget:
    """Shopify, for the fields that others own. It is read as it always is; nobody is ever made there."""

    database: Database
    reading: Reading
    client: AdminClient
    clock: Callable[[], Instant]
    connector: ShopifyConnector
    extras: tuple[str, ...] = field(default=())
    """The fields that our own reading of customers does not bring: points and custom attributes."""

    def discover(self) -> Discovery:
        return self.connector.discover()

    def look(self, ids: Sequence[bytes]) -> None:
        vault = self.reading.vault
        with self.database.read() as db:
            numbers = owned.numbers(db, vault.shop_id, ids)
        wanted = sorted(numbers.values())
        if not wanted:
            return
        read = read_customers(self.client, wanted, began=self.clock(), position=0)
        more = list(self.connector.read_keys([str(each) for each in wanted])) if self.extras else []
        with self.database.write() as db:
            lock_for(db, vault, read.changes)
            # First, since applying what was read back ends all that is awaited of a customer.
            take_extras(db, self.reading, self.extras, more, self.clock())
            apply(db, vault, read.changes, self.clock(), run_id=self.reading.run_id)

    def held(self, db: Connection, ids: Sequence[bytes], keys: Keys | None = None) -> dict[bytes, Remote]:
        numbers = owned.numbers(db, self.reading.vault.shop_id, ids)
        found = profiles.load(db, self.reading.vault, list(numbers.values()))
        return {
            customer: Remote(
                SHOPIFY, str(number), str(number), self._fields(found[number].side), customer, customer,
                found[number].key,
            )
            for customer, number in numbers.items()
            if number in found
        }  # fmt: skip

    def _fields(self, side: Mapping[str, object]) -> dict[str, object]:
        parts = split_tags(side.get("tags"), self.reading.policy.namespaces)  # type: ignore[arg-type]
        return {name: side.get(each.remote) for name, each in self.reading.policy.maps(SHOPIFY).items()} | parts

    def take(self, records: Sequence[Record]) -> None:
        """Read the customers of these records as they are read always: their own reading orders them."""
        with self.database.read() as db:
            loaded = profiles.load(db, self.reading.vault, [int(each.id) for each in records])
        self.look([each.customer_id for each in loaded.values() if each.customer_id is not None])

    def note_apart(self, db: Connection, ids: Collection[bytes], now: Instant) -> None:
        vault = self.reading.vault
        numbers = owned.numbers(db, vault.shop_id, sorted(ids))
        loaded = profiles.load(db, vault, list(numbers.values()))
        others.note_apart(db, vault, self.reading.policy, list(loaded.values()), now)

    def find(self, values: Sequence[str], by: str) -> int:
        return 0

    def link_made(
        self, db: Connection, made: Mapping[bytes, Record], people: Mapping[bytes, Owned], now: Instant
    ) -> None:
        """Nobody is made in Shopify."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return self.connector.write(patches)


def shopify_extras(fields: Sequence[str]) -> tuple[str, ...]:
    """Those of the fields that only metafields hold."""
    return tuple(name for name in fields if name == POINTS or name.startswith(CUSTOM))
