"""Merges that we were never told of: a customer is gone, and another one has its addresses.

Shopify keeps the ids of addresses when it merges customers, so this is evidence. It is not proof, so it only asks.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from onewriter.customers import aliases, profiles, questions
from onewriter.customers.aliases import UNHEARD_MERGE
from onewriter.customers.profiles import ACTIVE, Side
from onewriter.customers.questions import Ask
from onewriter.records import Instant, id_text
from onewriter.vault.vault import ShopVault

ADDRESSES_MAX = 200_000
"""How many addresses a run remembers, at some 100 bytes each."""


def propose(
    db: Connection, vault: ShopVault, gone: Sequence[Side], has: Mapping[int, int], run_id: str, now: Instant
) -> int:
    """Ask about those of the vanished customers whose addresses others have; returns how many.

    `has` says by the address's id who has it, as far as the run has seen. A customer whose merge was told is not asked
    about, nor is one that another customer of ours cannot be named for.
    """
    heirs = {side.shopify_id: heir for side in gone if (heir := _heir(side, has)) is not None}
    told = aliases.load(db, vault, heirs)
    kept = profiles.sides_of(db, vault, sorted(set(heirs.values())))
    asked = 0
    for side in gone:
        into = kept.get(heirs.get(side.shopify_id, 0))
        if side.shopify_id not in told and into is not None and into.state == ACTIVE:
            questions.ask(db, vault.shop_id, _question(side, into, run_id), now, once=True)
            asked += 1
    return asked


def _heir(side: Side, has: Mapping[int, int]) -> int | None:
    """Who has an address of this customer now; of several, who has most of them."""
    found = [has[entry["id"]] for entry in side.fields.get("addresses") or () if entry["id"] in has]
    others = [number for number in found if number != side.shopify_id]
    return max(sorted(set(others)), key=others.count, default=None)


def _question(side: Side, into: Side, run_id: str) -> Ask:
    gone, kept = id_text(side.customer_id), id_text(into.customer_id)
    return Ask(
        kind=UNHEARD_MERGE,
        subject=gone,
        text=f"Customer {gone} is gone from Shopify, and customer {kept} has an address of it: it may have been merged "
        "into that customer, and we were never told.",
        answers={
            "merge": "take it for merged into that customer, for ever",
            "separate": "they are two customers; the one that is gone was deleted",
        },
        otherwise="they stay two customers",
        evidence={"deleted": gone, "kept": kept, "run": run_id},
    )
