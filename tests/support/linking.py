"""A CRM beside the tea shop: its records told to us as a cycle tells them, and linked by the shop's identity rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import insert, select

from onewriter.customers import erasing, links, matching, policies, remote, strangers
from onewriter.customers.links import Found, Link
from onewriter.customers.remote import Remote
from onewriter.db import keytables
from onewriter.db.systemtables import policies as policy_table
from onewriter.records import FIELDS, SHOPIFY, Instant, id_text
from onewriter.rules.policy import Direction, FieldMap, FieldRule, KeyRule, Policy, to_document
from tests.support.shops import Tea, told

CRM = "crm"
REMOTE = {
    "email": "mail", "phone": "mobile", "first_name": "first", "last_name": "last", "shopify_id": "shop_no",
    "custom.birthday": "born", "note": "remarks",
}  # fmt: skip


def policy_of(version: int = 2, keys: KeyRule | None = None) -> Policy:
    """Shopify owns every field, and the CRM is told of all that it holds."""
    maps = {name: FieldMap(remote=there, direction=Direction.OUT) for name, there in REMOTE.items()}
    owners = {name: FieldRule(owner=SHOPIFY) for name in FIELDS}
    return Policy(version=version, fields=owners, systems={CRM: maps, "erp": maps}, identity=keys or KeyRule())


@dataclass(frozen=True)
class Crm:
    """The shop, and what its CRM tells."""

    tea: Tea
    now: Instant

    def customer(self, number: int, **fields: Any) -> bytes:
        """A customer of the shop's, as Shopify tells of it; our id."""
        self.tea.apply(told(number, self.now, fields), now=self.now)
        profile = self.tea.profile(number)
        assert profile is not None
        assert profile.customer_id is not None
        return profile.customer_id

    def name(self, true_id: str, system: str = CRM) -> str:
        return self.tea.vault.key.record_name(system, true_id)

    def hear(self, records: Mapping[str, Mapping[str, Any]], system: str = CRM) -> None:
        """Take records down, by their true ids; those that are not known belong to nobody."""
        vault = self.tea.vault
        with self.tea.runtime.database.write() as db:
            names = {self.name(true_id, system): true_id for true_id in records}
            held = remote.load(db, vault, system, list(names))
            fresh = [name for name in names if name not in held]
            for name, (identity, key) in zip(
                fresh, vault.keys.make_subject_keys(vault.shop_id, len(fresh), self.now), strict=True
            ):
                held[name] = Remote(system, name, names[name], key_id=identity, key=key)
            for name, each in held.items():
                each.fields = {REMOTE[field]: value for field, value in records[names[name]].items()}
                each.raw_digest = b"as it was read"
            strangers.index(db, vault, policies.of_shop(db, vault.shop_id), held.values(), self.now)
            remote.save(db, vault, held.values(), self.now)

    def ask(self, fields: Mapping[str, Any]) -> Found:
        """Whose a record would be that nothing is known of yet."""
        one = strangers.Stranger(self.name("new"), "new", fields)
        with self.tea.runtime.database.read() as db:
            policy = policies.of_shop(db, self.tea.shop_id)
            return matching.find(db, self.tea.vault, policy, CRM, [one])[one.name]

    def find(self, true_ids: Sequence[str], system: str = CRM) -> dict[str, Found]:
        """Whose these records are, by their true ids; nothing is written."""
        vault = self.tea.vault
        with self.tea.runtime.database.read() as db:
            held = remote.load(db, vault, system, [self.name(each, system) for each in true_ids])
            policy = policies.of_shop(db, vault.shop_id)
            found = matching.find(
                db, vault, policy, system, [strangers.of_remote(policy, one) for one in held.values()]
            )
        return {each: found[self.name(each, system)] for each in true_ids}

    def read(self, records: Mapping[str, Mapping[str, Any]], system: str = CRM) -> dict[str, Found]:
        """Hear records, and link them to whoever they are."""
        self.hear(records, system)
        found = self.find(list(records), system)
        by_name = {self.name(true_id, system): each for true_id, each in found.items()}
        with self.tea.runtime.database.write() as db:
            links.link(db, self.tea.vault, system, by_name, 2, "cycle", self.now)
        self.end()
        return found

    def end(self) -> None:
        """Do what follows every commit."""
        erasing.end(self.tea.runtime.database, self.tea.runtime.keys, self.now)

    def on_record(self, true_id: str, system: str = CRM) -> list[Link]:
        """All links of a record, whatever their state."""
        with self.tea.runtime.database.read() as db:
            return links.among(db, self.tea.shop_id, system, [self.name(true_id, system)])

    def state(self, true_id: str, system: str = CRM) -> str | None:
        """The state of the one link of a record."""
        found = self.on_record(true_id, system)
        return found[0].state if found else None

    def side(self, true_id: str, system: str = CRM) -> Remote:
        """What we hold of a record, opened."""
        name = self.name(true_id, system)
        with self.tea.runtime.database.read() as db:
            return remote.load(db, self.tea.vault, system, [name])[name]

    def is_destroyed(self, key_id: bytes) -> bool:
        """Whether a key was destroyed."""
        table = keytables.subject_keys
        with self.tea.runtime.keys.database.read() as db:
            return db.execute(select(table.c.wrapped).where(table.c.id == key_id)).scalar_one() is None

    def set_keys(self, keys: KeyRule, version: int = 3) -> Policy:
        """Set the keys of identity, in a new version of the policy."""
        policy = replace(policy_of(version), identity=keys)
        write_policy(self.tea, policy, self.now)
        return policy


def write_policy(tea: Tea, policy: Policy, now: Instant) -> None:
    row = {"shop_id": tea.shop_id, "version": policy.version, "at": now, "set_by": "user:anna"}
    with tea.runtime.database.write() as db:
        db.execute(insert(policy_table).values(**row, document=to_document(policy)))


def two_wait(tea: Tea, now: Instant) -> dict[str, Any]:
    """Our ids of three customers and the CRM, of whose three records one is linked, and two wait for a person."""
    write_policy(tea, policy_of(), now)
    crm = Crm(tea, now)
    ids = {
        "mia": crm.customer(101, email="mia.canary@example.org", phone="+447911123456", first_name="Mia"),
        "zoe": crm.customer(102, phone="+447911123457", first_name="Zoe", last_name="Li"),
        "ida": crm.customer(103, phone="+447911123458", first_name="Ida", last_name="Ek"),
    }
    crm.read(
        {
            "canary-7": {"email": "mia.canary@example.org"},
            "crm-8": {"phone": "+447911123457", "first_name": "Zoe"},
            "crm-9": {"phone": "+447911123458", "first_name": "Ida"},
        }
    )
    return {name: id_text(each) for name, each in ids.items()} | {"crm": crm}


@pytest.fixture
def crm(tea: Tea, now: Instant) -> Crm:
    """The tea shop with a CRM."""
    write_policy(tea, policy_of(), now)
    return Crm(tea, now)
