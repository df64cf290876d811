"""What a restored backup brought back and must not stand: customers who were erased, and bodies whose day is over.

The key store says who was erased since the backup: by the marks of destroyed keys, and by hashes of ids, which also
name whom the backup never knew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from onewriter.customers import erasing, questions, renewing, tombstones
from onewriter.customers.erasing import REQUESTS, Asked
from onewriter.customers.inbox import DROPPED, PARKED, PARKED_DELIVERY, WAITING
from onewriter.customers.profiles import ACTIVE
from onewriter.customers.questions import Ask
from onewriter.db.bulk import in_chunks
from onewriter.db.pointtables import order_marks
from onewriter.db.tables import aliases, inbox, refetch_marks
from onewriter.intake.apply import lock, read_again
from onewriter.records import Instant
from onewriter.runtime import Runtime
from onewriter.shopify.topics import COMPLIANCE_TOPICS
from onewriter.vault import copying
from onewriter.vault.vault import ShopVault

RESTORED_BACKUP = "restored backup"
"""What the receipts say that asked for these erasures."""
LOST = "lost"
"""The reason to read a customer whose key is lost."""
GONE = "the key of its day is gone"

_ANSWERS = {
    "retry": "try to apply the delivery again",
    "drop": "give the delivery up; it stays in the list",
}


def go_through_customers(runtime: Runtime, vault: ShopVault, now: Instant) -> Mapping[str, int]:
    """Erase again each customer who was erased since the backup, and renew each whose key is lost; how many of both."""
    erased = lost = 0
    for rows in _pages(runtime, vault.shop_id):
        states = copying.states(runtime.keys, [bytes(row.id) for row in rows])
        names = {row.shopify_id: vault.key.id_hash(row.shopify_id) for row in rows if row.shopify_id is not None}
        gone = copying.erased_among(runtime.keys, vault.shop_id, list(names.values()))
        doomed = [
            row.shopify_id
            for row in rows
            if row.shopify_id is not None and (states.get(bytes(row.id)) is False or names[row.shopify_id] in gone)
        ]
        erased += _erase(runtime, vault, doomed, now)
        missing = {bytes(row.id): row for row in rows if bytes(row.id) not in states and row.shopify_id not in doomed}
        lost += _renew(runtime, vault, missing, now)
    with runtime.database.read() as db:
        alone = renewing.keys_alone(db, vault.shop_id)
    known = copying.states(runtime.keys, alone)
    unopened = [each for each in alone if not known.get(each)]
    if unopened:
        with runtime.database.write() as db:
            renewing.forget_records(db, vault.shop_id, unopened)
    # One whose key was destroyed was linked since the backup, or is gone there: nothing is lost with it.
    lost += sum(each not in known for each in unopened)
    return {"erased again": erased, "lost": lost}


def forget_ids(runtime: Runtime, vault: ShopVault, now: Instant) -> None:
    """Leave a tombstone of everybody who was erased, and nothing that leads to them but that."""
    with runtime.database.read() as db:
        numbers = _numbers(db, vault.shop_id)
    for some in in_chunks(numbers):
        names = {vault.key.id_hash(number): number for number in some}
        gone = copying.erased_among(runtime.keys, vault.shop_id, list(names))
        _erase(runtime, vault, [names[name] for name in gone], now)
    for erased in copying.every_erased(runtime.keys, vault.shop_id):
        with runtime.database.write() as db:
            tombstones.purge(db, vault.shop_id, erased, now)
            # What still waits is refused in its turn, and a request in law stays to be answered.
            theirs = or_(inbox.c.subject_hash.in_(list(erased)), inbox.c.other_hash.in_(list(erased)))
            db.execute(delete(inbox).where(theirs, inbox.c.state != WAITING, inbox.c.topic.not_in(REQUESTS)))


def empty_bodies(runtime: Runtime, shop_id: int, now: Instant) -> int:
    """Empty the bodies whose day's key is gone; returns how many deliveries were still to be applied.

    The full reconcile makes up for what they told of a customer. What asked something in law is asked of a person.
    """
    with runtime.database.read() as db:
        sealed = select(inbox.c.day).where(inbox.c.shop_id == shop_id, inbox.c.box.is_not(None)).distinct()
        days = set(db.execute(sealed).scalars()) - copying.living_days(runtime.keys, shop_id)
    open_ = 0
    for day in sorted(days):
        with runtime.database.write() as db:
            of_day = (inbox.c.shop_id == shop_id, inbox.c.day == day)
            waits = (*of_day, inbox.c.state == WAITING)
            asking = db.execute(select(inbox.c.position, inbox.c.topic).where(*waits, _asks_in_law())).all()
            for row in asking:
                _ask(db, shop_id, row, now)
            parked = update(inbox).where(*waits, _asks_in_law())
            db.execute(parked.values(state=PARKED, outcome=GONE, ended_at=now))
            dropped = db.execute(update(inbox).where(*waits).values(state=DROPPED, outcome=GONE, ended_at=now)).rowcount
            db.execute(update(inbox).where(*of_day).values(box=None))
            open_ += len(asking) + dropped
    return open_


def _pages(runtime: Runtime, shop_id: int) -> Iterator[Sequence[Any]]:
    behind = b""
    while True:
        with runtime.database.read() as db:
            rows = renewing.page(db, shop_id, behind)
        if not rows:
            return
        yield rows
        behind = bytes(rows[-1].id)


def _erase(runtime: Runtime, vault: ShopVault, numbers: Sequence[int], now: Instant) -> int:
    if not numbers:
        return 0
    with runtime.database.write() as db:
        lock(db, vault, numbers)
        erased = erasing.erase(db, vault, numbers, Asked(RESTORED_BACKUP, now), now)
    erasing.end(runtime.database, runtime.keys, now)
    return erased.customers


def _renew(runtime: Runtime, vault: ShopVault, missing: Mapping[bytes, Any], now: Instant) -> int:
    if not missing:
        return 0
    secrets = copying.new_secrets(missing)
    read = [row.shopify_id for row in missing.values() if row.state == ACTIVE]
    with runtime.database.write() as db:
        lock(db, vault, [row.shopify_id for row in missing.values() if row.shopify_id is not None])
        renewing.renew(db, vault, {identity: key for identity, (_, key) in secrets.items()}, now)
        read_again(db, vault, dict.fromkeys(read, frozenset({LOST})), now)
    copying.keep_secrets(runtime.keys, vault.shop_id, {each: secret for each, (secret, _) in secrets.items()}, now)
    return len(missing)


def _numbers(db: Connection, shop_id: int) -> list[int]:
    """The Shopify ids that stand somewhere beside the customers."""
    columns = (refetch_marks.c.shopify_id, order_marks.c.waits_for, aliases.c.deleted_id, aliases.c.kept_id)
    found: set[int] = set()
    for column in columns:
        of_shop = select(column).where(column.table.c.shop_id == shop_id, column.is_not(None)).distinct()
        found.update(db.execute(of_shop).scalars())
    return sorted(found)


def _asks_in_law() -> Any:
    return inbox.c.topic.in_(COMPLIANCE_TOPICS)


def _ask(db: Connection, shop_id: int, row: Any, now: Instant) -> None:
    ask = Ask(
        kind=PARKED_DELIVERY,
        subject=str(row.position),
        text=f"Delivery {row.position} ({row.topic}) came back with a backup and cannot be opened: {GONE}.",
        answers=_ANSWERS,
        otherwise="nothing; look up in Shopify's own list what was asked, and do it by hand",
        evidence={"position": row.position, "topic": row.topic, "attempts": 0},
    )
    questions.ask(db, shop_id, ask, now)
