"""Aliases: merged-away ids and the customers that were kept. They stay for ever, as pairs of keyed hashes."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from onewriter.db.tables import aliases
from onewriter.records import Instant
from onewriter.rules.aliasing import CHAIN_MAX, Alias, AliasState
from onewriter.vault.vault import ShopVault

UNHEARD_MERGE = "unheard merge"
"""The kind of question that a vanished customer's address under another customer asks."""
UNSETTLED_MERGE = "unsettled merge"
"""The kind of question that a merge asks whose deleted customer is still there."""

_THESE = select(aliases).where(
    aliases.c.shop_id == bindparam("shop_id"), aliases.c.deleted_hash.in_(bindparam("hashes", expanding=True))
)
_INTO = select(aliases.c.deleted_id).where(
    aliases.c.shop_id == bindparam("shop_id"),
    aliases.c.kept_hash == bindparam("kept_hash"),
    aliases.c.state == AliasState.SETTLED.value,
    aliases.c.deleted_id.is_not(None),
)
_FORGET_PURGED = delete(aliases).where(
    aliases.c.shop_id == bindparam("shop_id"),
    aliases.c.deleted_hash.in_(bindparam("hashes", expanding=True)),
    or_(aliases.c.deleted_id.is_(None), aliases.c.kept_id.is_(None)),
)
_CHANGE = (
    update(aliases)
    .where(aliases.c.shop_id == bindparam("b_shop_id"), aliases.c.deleted_hash == bindparam("b_deleted_hash"))
    .values(
        kept_hash=bindparam("b_kept_hash"), kept_id=bindparam("b_kept_id"), state=bindparam("b_state"),
        heard_at=bindparam("b_heard_at"), settled_at=bindparam("b_settled_at"),
    )
)  # fmt: skip


def load(db: Connection, vault: ShopVault, shopify_ids: Iterable[int]) -> dict[int, Alias]:
    """What is known of the merges of these customers, by the id that was merged away."""
    hashes = [vault.key.id_hash(shopify_id) for shopify_id in shopify_ids]
    if not hashes:
        return {}
    found = (_alias(row) for row in db.execute(_THESE, {"shop_id": vault.shop_id, "hashes": hashes}))
    return {alias.deleted_id: alias for alias in found if alias is not None}


def save(db: Connection, vault: ShopVault, before: Mapping[int, Alias], after: Mapping[int, Alias]) -> None:
    """Write down what has changed between the two."""
    changed = [alias for number, alias in after.items() if number in before and before[number] != alias]
    fresh = [alias for number, alias in after.items() if number not in before]
    if changed:
        db.execute(_CHANGE, [{f"b_{name}": value for name, value in _row(vault, each).items()} for each in changed])
    if fresh:
        # Of one whose kept customer was purged since, the pair of hashes is there; what is told now is news.
        hashes = [vault.key.id_hash(alias.deleted_id) for alias in fresh]
        db.execute(_FORGET_PURGED, {"shop_id": vault.shop_id, "hashes": hashes})
        db.execute(insert(aliases), [_row(vault, alias) for alias in fresh])


def into(db: Connection, vault: ShopVault, shopify_id: int) -> int | None:
    """The customer that this one is now, at the end of its chain of settled merges; None if it was not merged away."""
    found: int | None = None
    for _ in range(CHAIN_MAX):
        alias = load(db, vault, [shopify_id]).get(shopify_id)
        if alias is None or alias.state is not AliasState.SETTLED:
            break
        found = shopify_id = alias.kept_id
    return found


def merged_away(db: Connection, vault: ShopVault, shopify_id: int) -> Sequence[int]:
    """The customers that were merged straight into this one, as far as they are not purged."""
    wanted = {"shop_id": vault.shop_id, "kept_hash": vault.key.id_hash(shopify_id)}
    return sorted(db.execute(_INTO, wanted).scalars())


def _alias(row: Row[tuple[object, ...]]) -> Alias | None:
    """None for one whose ids were purged: nothing may be told of it any more."""
    if row.deleted_id is None or row.kept_id is None:
        return None
    return Alias(row.deleted_id, row.kept_id, row.heard_at, AliasState(row.state), row.settled_at)


def _row(vault: ShopVault, alias: Alias) -> dict[str, bytes | int | str | Instant | None]:
    return {
        "shop_id": vault.shop_id,
        "deleted_hash": vault.key.id_hash(alias.deleted_id),
        "kept_hash": vault.key.id_hash(alias.kept_id),
        "deleted_id": alias.deleted_id,
        "kept_id": alias.kept_id,
        "state": alias.state.value,
        "heard_at": alias.heard,
        "settled_at": alias.settled,
    }
