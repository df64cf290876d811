"""What customers' records give: signing up, and the newsletter.

Called with every record that was written, whatever the path: the data decide what is given, and the ledger whether it
was given already.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.customers import shops
from onewriter.customers.profiles import LIVE, Profile
from onewriter.loyalty import accounts, merges, programme
from onewriter.loyalty.books import open_books
from onewriter.records import Instant
from onewriter.rules import earning
from onewriter.rules.earning import Item, Version
from onewriter.vault.vault import ShopVault


@dataclass(frozen=True, slots=True)
class Written:
    """What became of customers in one batch."""

    profiles: Sequence[Profile]
    """Those that were created or changed."""
    created: Sequence[Profile]
    """Those of them that we did not know before."""
    merged: Sequence[Profile]
    """Those whose merge is settled now."""
    returned: Sequence[Profile]
    """Those that were hidden, and that a read has found."""


def take(db: Connection, vault: ShopVault, written: Written, now: Instant, *, run_id: str | None = None) -> None:
    """Give what the records of a batch give, and carry merges on to the ledger, in the batch's transaction."""
    merges.follow(db, vault, written.created, written.merged, written.returned, now)
    versions = programme.versions(db, vault.shop_id)
    given = _given(db, vault.shop_id, written.profiles, versions) if versions else {}
    hidden = [profile.customer_id for profile in written.profiles if profile.state not in LIVE]
    moved = [each for each in (*hidden, *(profile.customer_id for profile in written.returned)) if each is not None]
    # Time stands still for who was deleted, and goes on for who came back: that alone changes an account.
    touched = {*given, *accounts.load(db, moved)} if moved else set(given)
    if not touched:
        return
    books = open_books(db, vault, touched)
    for customer_id, items in given.items():
        book = books.of(customer_id)
        for item in items if book is not None else ():
            assert book is not None
            book.give(item, customer_id, now, run_id=run_id)
    books.settle(now)
    books.save(db)


def _given(
    db: Connection, shop_id: int, profiles: Sequence[Profile], versions: Sequence[Version]
) -> dict[bytes, list[Item]]:
    """What each customer's record gives, for those of whom it gives anything."""
    installed = shops.by_id(db, shop_id).installed_at
    found: dict[bytes, list[Item]] = {}
    for profile in profiles:
        assert profile.customer_id is not None
        if items := of_record(profile, installed, versions):
            found[profile.customer_id] = items
    return found


def of_record(profile: Profile, installed: Instant, versions: Sequence[Version]) -> list[Item]:
    """What one customer's record gives."""
    own = profile.own
    signup = earning.signup(profile.created, own.get("state"), installed, versions)
    newsletter = earning.newsletter(own.get("email_consent"), installed, versions)
    return [item for item in (signup, newsletter) if item is not None]
