"""The end of a shop's keys: all that its customers, its days and the shop itself were sealed with, for good.

The marks of destroyed keys stay: what an old backup of the main database brings back of the shop is gone on purpose.
"""

from sqlalchemy import bindparam, select, update

from onewriter.db import keytables
from onewriter.records import Instant
from onewriter.vault.keystore import KeyStore

WALKED = 5_000

_subjects = keytables.subject_keys
_PAGE = (
    select(_subjects.c.id, _subjects.c.shop_id, _subjects.c.destroyed_at)
    .where(_subjects.c.id > bindparam("after"))
    .order_by(_subjects.c.id)
    .limit(WALKED)
)


def destroy_shop(keys: KeyStore, shop_id: int, now: Instant) -> int:
    """Destroy every key of a shop; returns how many customers' keys were there to destroy.

    The rows that they sealed must be gone already, and committed. A process that dies in the middle does it again.
    """
    destroyed = _destroy_subjects(keys, shop_id, now)
    with keys.database.write() as db:
        for table in (keytables.day_keys, keytables.index_keys, keytables.shop_keys):
            theirs = update(table).where(table.c.shop_id == shop_id, table.c.destroyed_at.is_(None))
            db.execute(theirs.values(wrapped=None, destroyed_at=now))
    keys.forget_shop(shop_id)
    return destroyed


def _destroy_subjects(keys: KeyStore, shop_id: int, now: Instant) -> int:
    """Walk all keys once, since they are found by their ids alone: a shop ends seldom, and a key is made often."""
    after, destroyed = b"", 0
    while True:
        with keys.database.read() as db:
            page = db.execute(_PAGE, {"after": after}).all()
        if not page:
            return destroyed
        theirs = [bytes(row.id) for row in page if row.shop_id == shop_id and row.destroyed_at is None]
        destroyed += keys.destroy_subjects(theirs, now)
        after = bytes(page[-1].id)
