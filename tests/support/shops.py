"""A shop of our own for the stages' tests: connected in our database, with nobody at the other end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import marks, profiles, shops
from onewriter.customers.profiles import Profile
from onewriter.db.tables import aliases, customers, tombstones
from onewriter.intake.apply import Applied, apply
from onewriter.records import FIELDS, HOUR, SECOND, Change, Instant, Kind, Path
from onewriter.runtime import Runtime
from onewriter.settings import load
from onewriter.shopify.auth import Credentials
from onewriter.shopify.tokens import seal_credentials
from onewriter.vault.vault import ShopVault

DOMAIN = "tea.myshopify.com"
SECRET = "shpss_of_the_tests"


@dataclass(frozen=True)
class Tea:
    """A connected shop that sells tea, in a runtime of its own."""

    runtime: Runtime
    shop_id: int

    @property
    def vault(self) -> ShopVault:
        return self.runtime.vault(self.shop_id)

    def apply(self, *changes: Change, now: Instant, run_id: str | None = None) -> Applied:
        """Apply changes in a transaction of their own."""
        with self.runtime.database.write() as db:
            return apply(db, self.vault, changes, now, run_id=run_id)

    def profile(self, shopify_id: int) -> Profile | None:
        """What we hold of a customer, opened."""
        with self.runtime.database.read() as db:
            return profiles.load(db, self.vault, [shopify_id]).get(shopify_id)

    def marked(self, now: Instant) -> dict[int, frozenset[str]]:
        """The customers that are due to be read again, and why."""
        with self.runtime.database.read() as db:
            return {mark.shopify_id: mark.reasons for mark in marks.due(db, self.shop_id, now, 1000)}

    def dump(self) -> dict[str, Any]:
        """Everything known of the customers, without our ids, nonces and local times."""
        with self.runtime.database.read() as db:
            known = list(db.execute(select(customers.c.shopify_id)).scalars())
            held = profiles.load(db, self.vault, known)
            stones = db.execute(select(tombstones.c.id_hash, tombstones.c.deleted_at, tombstones.c.confirmed_at))
            return {
                "customers": {number: _shown(profile) for number, profile in sorted(held.items())},
                "aliases": {row.deleted_id: (row.kept_id, row.state) for row in db.execute(select(aliases))},
                "tombstones": sorted((bytes(row.id_hash), row.deleted_at, bool(row.confirmed_at)) for row in stones),
            }


def _shown(profile: Profile) -> dict[str, Any]:
    return {
        "fields": {name: profile.own.get(name) for name in FIELDS},
        "side": {name: profile.side.get(name) for name in FIELDS},
        "version": profile.version,
        "state": profile.state,
        "deleted": profile.deleted,
        "confirmed": profile.confirmed is not None,
    }


def told(
    number: int,
    version: Instant,
    fields: Mapping[str, Any],
    *,
    heard: Instant | None = None,
    path: Path = Path.WEBHOOK,
    raw: bytes | None = None,
) -> Change:
    """A change that says a customer is there, as of `version`."""
    return Change(
        record_id=number,
        kind=Kind.PRESENT,
        path=path,
        fields=dict(fields),
        version=version,
        heard=version if heard is None else heard,
        created=version - HOUR,
        position=7 if path is Path.WEBHOOK else 0,
        raw_digest=raw,
    )


def gone(number: int, at: Instant) -> Change:
    """A delivery that says a customer was deleted."""
    return Change(number, Kind.DELETED, Path.WEBHOOK, {}, None, at, position=8)


def rung(number: int, at: Instant) -> Change:
    """A doorbell: something of a customer changed that only a read can tell."""
    return Change(number, Kind.RUNG, Path.WEBHOOK, {}, None, at, position=9)


def merged(number: int, into: int, at: Instant, *, failed: bool = False) -> Change:
    """A delivery that says a customer was merged into another, or that this failed."""
    kind = Kind.NOT_MERGED if failed else Kind.MERGED
    return Change(number, kind, Path.WEBHOOK, {}, None, at, position=10, into=into)


def absent(number: int, began: Instant) -> Change:
    """A direct read that found nobody."""
    return Change(number, Kind.ABSENT, Path.READ, {}, None, began)


@pytest.fixture
def runtime(database_url: str, keys_url: str, tmp_path: Any) -> Iterator[Runtime]:
    """A runtime on new databases, ready to work."""
    environment = {
        "ONEWRITER_DATABASE_URL": database_url,
        "ONEWRITER_KEYSTORE_URL": keys_url,
        "ONEWRITER_DATA_DIR": str(tmp_path),
    }
    with Runtime(load(environment, tmp_path)) as opened:
        opened.prepare()
        yield opened


@pytest.fixture
def tea(runtime: Runtime, now: Instant) -> Tea:
    """A connected shop with nobody at the other end."""
    columns: dict[str, Any] = {"domain": DOMAIN, "admin_url": f"https://{DOMAIN}", "public_url": "https://tea.example"}
    columns |= {"api_version": "2026-10", "region": "GB", "state": "connected", "scopes": ["read_customers"]}
    credentials = Credentials("token", access_token="shpat_of_the_tests", api_secrets=(SECRET,))
    with runtime.database.write() as db:
        shop_id = shops.add(db, columns | {"box": b"", "installed_at": now, "connected_at": now})
        key = runtime.keys.make_shop_key(shop_id, now)
        shops.change(db, shop_id, {"box": seal_credentials(key, shop_id, credentials)})
    return Tea(runtime, shop_id)


def later(now: Instant, seconds: float) -> Instant:
    """So many seconds later."""
    return now + int(seconds * SECOND)
