"""Following a merge: what connected systems have of the deleted customer is the kept customer's from then on.

Links, sides, pending marks and parked values go over, sealed anew with its key; the field log stays with
the deleted one and is reached through the alias. It is not undone with the points: in Shopify the two stay merged.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from onewriter.customers import deciding, links, parked, pending, policies
from onewriter.customers.links import BROKEN, LINKED, REVIEW, Link
from onewriter.db.systemtables import expectations
from onewriter.db.tables import parked_values, pending_marks
from onewriter.records import Instant
from onewriter.vault.seal import SubjectKey
from onewriter.vault.vault import ShopVault

SECOND = "its customer was merged into one who has a record there already"
FOLLOWED = "; it followed a merge in Shopify"

_MARKS = select(pending_marks).where(
    pending_marks.c.shop_id == bindparam("shop_id"), pending_marks.c.customer_id == bindparam("customer")
)
_PARKED = select(parked_values).where(parked_values.c.customer_id == bindparam("customer"))
_NO_EXPECTATIONS = delete(expectations).where(expectations.c.customer_id == bindparam("customer"))
_THIS_MARK = (
    pending_marks.c.shop_id == bindparam("b_shop"),
    pending_marks.c.system == bindparam("b_system"),
    pending_marks.c.customer_id == bindparam("b_customer"),
    pending_marks.c.field == bindparam("b_field"),
)
_DROP_MARK = delete(pending_marks).where(*_THIS_MARK)
_MOVE_MARK = update(pending_marks).where(*_THIS_MARK).values(customer_id=bindparam("b_kept"), box=bindparam("b_box"))
_MOVE_PARKED = (
    update(parked_values)
    .where(parked_values.c.id == bindparam("b_id"))
    .values(customer_id=bindparam("b_kept"), box=bindparam("b_box"))
)


def follow_merge(db: Connection, vault: ShopVault, deleted: bytes, kept: bytes, now: Instant) -> None:
    """Hand over what connected systems have of the deleted customer, in the merge's transaction and under its locks.

    The systems whose records went over are told what the kept customer has. Doing it twice changes nothing.
    """
    theirs = links.of_people(db, vault.shop_id, [deleted])
    marks = db.execute(_MARKS, {"shop_id": vault.shop_id, "customer": deleted}).all()
    values = db.execute(_PARKED, {"customer": deleted}).all()
    # What we wrote for the deleted one is known by its key alone, so that its echo is nobody's.
    db.execute(_NO_EXPECTATIONS, {"customer": deleted})
    if not (theirs or marks or values):
        return
    keys = vault.keys.subject_keys([deleted, kept])
    _move_links(db, vault, theirs, deleted, kept, now)
    _move_marks(db, vault, marks, keys[deleted], keys[kept], kept)
    _move_parked(db, vault, values, keys[deleted], keys[kept], kept, now)
    _tell_systems(db, vault, theirs, kept, now)


def _move_links(
    db: Connection, vault: ShopVault, theirs: Sequence[Link], deleted: bytes, kept: bytes, now: Instant
) -> None:
    """Whose records were the deleted one's, unless a person said that one of them is not the kept one's.

    Of a system that has a record of the kept one already, the other waits for a person: a customer with two records in
    one system could be told by neither.
    """
    held = {(each.system, each.record): each for each in links.of_people(db, vault.shop_id, [kept])}
    taken = {each.system for each in held.values() if each.state == LINKED and not each.reason.endswith(links.GONE)}
    links.remove(db, vault.shop_id, theirs)
    for each in theirs:
        before = held.get((each.system, each.record))
        apart = before is not None and before.state == BROKEN
        if each.state == LINKED and apart:
            deciding.detach(db, vault, each.system, [each.record], now)
        elif each.state == LINKED and each.system in taken and before is None:
            deciding.detach(db, vault, each.system, [each.record], now)
            second = replace(each, customer_id=kept, state=REVIEW, reason=SECOND, made_at=now)
            links.put(db, vault.shop_id, [second])
            continue
        elif each.state == LINKED:
            links.reseal(db, vault, each.system, {each.record: kept}, now)
        if before is None or (each.state == LINKED and not apart) or (each.state == BROKEN and before.state == REVIEW):
            links.put(db, vault.shop_id, [replace(each, customer_id=kept, reason=each.reason + FOLLOWED)])


def _move_marks(
    db: Connection, vault: ShopVault, marks: Sequence[Row[Any]], old: SubjectKey, new: SubjectKey, kept: bytes
) -> None:
    """What is still to be told; the kept one's own marks, and the values that people propose to it, come first."""
    known = db.execute(_MARKS, {"shop_id": vault.shop_id, "customer": kept}).all()
    held = {(row.system, row.field) for row in known}
    for row in marks:
        this = {"b_shop": row.shop_id, "b_system": row.system, "b_customer": row.customer_id, "b_field": row.field}
        if row.field == pending.ALL or (row.system, row.field) in held:
            db.execute(_DROP_MARK, this)
            continue
        box = None
        if row.box is not None:
            bound = pending.binding(vault.shop_id, row.system, bytes(row.customer_id), row.field)
            proposed = old.open_fields(bytes(row.box), bound)
            box = new.seal_fields(proposed, pending.binding(vault.shop_id, row.system, kept, row.field))
        db.execute(_MOVE_MARK, this | {"b_kept": kept, "b_box": box})


def _move_parked(
    db: Connection,
    vault: ShopVault,
    values: Sequence[Row[Any]],
    old: SubjectKey,
    new: SubjectKey,
    kept: bytes,
    now: Instant,
) -> None:
    """What is parked; where the kept one has a value in the same place, that one stays open."""
    known = db.execute(_PARKED, {"customer": kept}).all()
    held = {(row.system, row.field, row.direction) for row in known if row.ended_at is None}
    both = [row for row in values if row.ended_at is None and (row.system, row.field, row.direction) in held]
    parked.end(db, [bytes(row.id) for row in both], parked.REPLACED, None, now)
    for row in values:
        bound = parked.binding(vault.shop_id, bytes(row.id))
        box = new.seal_fields(old.open_fields(bytes(row.box), bound), bound)
        db.execute(_MOVE_PARKED, {"b_id": row.id, "b_kept": kept, "b_box": box})


def _tell_systems(db: Connection, vault: ShopVault, theirs: Sequence[Link], kept: bytes, now: Instant) -> None:
    """Have the records that went over say what the kept customer has; whatever says so already is left alone."""
    policy = policies.of_shop(db, vault.shop_id)
    moved = {each.system for each in theirs if each.state == LINKED}
    wanted = [(system, kept, name) for system in moved for name in policy.goes_out(system)]
    pending.mark(db, vault.shop_id, wanted, now)
