"""The access log: who saw or changed protected data, of whom and why; chained, so that no silent edit goes unseen.

A reason is free text, in which people write names: it is sealed by the key of the customer that it is about, and dies
with it. Everything else in a line is ours: ids, names of fields, times.

`append` comes before values are shown or anything is destroyed; `write_restore` in the transaction that restores a
backup, once it is at the newest schema; `record_keys_restore` after a copy of the key store was restored. Two limits:
an access that was never written is not missed, and whoever has both databases and the master key can write the whole
log anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Any

from sqlalchemy import Connection, select

from onewriter.db.bulk import insert_rows
from onewriter.db.engine import Database
from onewriter.db.privacytables import access_log
from onewriter.db.turns import take_turns
from onewriter.records import Instant
from onewriter.vault import chain
from onewriter.vault.chain import ACCESS, ChainKey, Head
from onewriter.vault.keystore import KeyStore
from onewriter.vault.seal import Cipher, bound_to

REVEAL = "reveal"
EXPORT_LOG = "export access log"
PEOPLE = "people"
RESTORED = "backup restored"

KEYS_RESTORED = "key store restored"

_columns = [column for column in access_log.columns if column.name != "mac"]
_LAST = select(*_columns, access_log.c.mac).order_by(access_log.c.position.desc())


@dataclass(frozen=True, slots=True)
class Act:
    """One access to protected data, to be written down."""

    action: str
    actor: str
    role: str
    shop_id: int | None = None
    customer_id: bytes | None = None
    subject: str | None = None
    """What else it was about, by an id of ours: delivery 12, request 3. Never an id of Shopify's, never a name."""
    fields: Sequence[str] = ()
    allowed: bool = True
    reason: str | None = None


def append(database: Database, keys: KeyStore, acts: Sequence[Act], now: Instant) -> None:
    """Write down what is about to happen; it is committed when this returns. Until then nothing may be shown.

    All of it is one transaction, and only one process at a time appends.
    """
    if not acts:
        return
    key, head = settle_head(database, keys, now)
    ciphers = _ciphers(keys, key, acts)
    with database.write() as db:
        take_turns(db, ACCESS)
        last = _end(db.execute(_LAST.limit(1)).first())
        # Of a log that was cut off, what comes next must not take the place of what is missing.
        end = _write(db, key, max(last, head, key=lambda one: one.position), acts, ciphers, now)
    chain.move_up(keys, ACCESS, end)


def write_restore(db: Connection, keys: KeyStore, actor: str, role: str, now: Instant) -> Head:
    """Write down, in the transaction that restores a backup, that the log came out of it, and go on from its last line.

    Returns the end of the log, which the head must be moved to once that is committed; where a process dies before it,
    `settle_head` does so. The key of the log must have been made.
    """
    key, head = chain.opened_for_writing(keys, ACCESS, now)
    take_turns(db, ACCESS)
    last = _end(db.execute(_LAST.limit(1)).first())
    return _go_on(db, key, head, last, Act(RESTORED, actor, role, subject=_cut(head.position, last.position)), now)


def record_keys_restore(
    database: Database, keys: KeyStore, actor: str, role: str, now: Instant, *, head_kept: bool
) -> None:
    """Write down that the key store came from a copy.

    Where the head came with it, the log goes on from the last line that is there: the copy knows an older end, and
    after a restored backup perhaps one that is gone.
    """
    if head_kept:
        append(database, keys, [Act(KEYS_RESTORED, actor, role)], now)
        return
    key, head = settle_head(database, keys, now)
    subject = f"a copy of the key store, which knew the log up to line {head.position}"
    with database.write() as db:
        take_turns(db, ACCESS)
        last = _end(db.execute(_LAST.limit(1)).first())
        end = _go_on(db, key, head, last, Act(RESTORED, actor, role, subject=subject), now)
    chain.move(keys, ACCESS, end)


def settle_head(database: Database, keys: KeyStore, now: Instant) -> tuple[ChainKey, Head]:
    """The key and the head of the log; a head that stayed behind when a process died in a restore is moved first."""
    key, head = chain.opened_for_writing(keys, ACCESS, now)
    with database.read() as db:
        end = end_after_restore(db, key, head)
    if end is None:
        return key, head
    chain.move(keys, ACCESS, end)
    return key, end


def end_after_restore(db: Connection, key: ChainKey, head: Head) -> Head | None:
    """The end of the log, if its last line says that a restore has taken the place of this very head; else None."""
    rows = db.execute(_LAST.limit(2)).all()
    if not rows or rows[0].action != RESTORED or rows[0].fields != _named(head):
        return None
    last, previous = rows[0], _end(rows[1] if len(rows) > 1 else None)
    proved = compare_digest(key.mac(tuple(last[:-1]), previous.mac), bytes(last.mac))
    return _end(last) if proved else None


def _go_on(db: Connection, key: ChainKey, head: Head, last: Head, act: Act, now: Instant) -> Head:
    """Write a line behind the last one that names the head whose place it takes; the end of the log then."""
    return _write(db, key, last, [replace(act, fields=[_named(head)])], [None], now)


def _named(head: Head) -> str:
    # Its position alone would do no longer once the log is as long as it was before.
    return f"head:{head.position}:{head.mac.hex()[:32]}"


def _cut(head: int, last: int) -> str:
    return f"log cut from {head} to {last}" if last < head else "nothing of the log lost"


def _end(row: Any) -> Head:
    return Head(0, chain.NOTHING) if row is None else Head(row.position, bytes(row.mac))


def _ciphers(keys: KeyStore, key: ChainKey, acts: Sequence[Act]) -> list[Cipher | None]:
    """What seals the reason of each; None where there is none, or nothing that could keep it any more."""
    subjects = keys.subject_keys(
        (act.customer_id for act in acts if act.reason and act.customer_id is not None), leave_destroyed=True
    )
    ciphers: list[Cipher | None] = []
    for act in acts:
        if not act.reason:
            ciphers.append(None)
        elif act.customer_id is not None:
            ciphers.append(subjects.get(act.customer_id))
        else:
            ciphers.append(key if act.shop_id is None else keys.shop_key(act.shop_id))
    return ciphers


def _write(
    db: Connection, key: ChainKey, end: Head, acts: Sequence[Act], ciphers: Sequence[Cipher | None], now: Instant
) -> Head:
    """Write the lines behind that end of the log; the end that it has then."""
    position, mac = end.position, end.mac
    rows = []
    for act, cipher in zip(acts, ciphers, strict=True):
        position += 1
        box = None if cipher is None else cipher.seal((act.reason or "").encode(), binding(act.shop_id, position))
        key_id = act.customer_id if box is not None else None
        values = (
            position, now, act.shop_id, act.actor, act.role, act.action, act.customer_id, act.subject,
            " ".join(act.fields), act.allowed, key_id, box,
        )  # fmt: skip
        mac = key.mac(values, mac)
        rows.append((*values, mac))
    insert_rows(db, access_log, rows)
    return Head(position, mac)


def binding(shop_id: int | None, position: int) -> bytes:
    """What the box of a line is bound to."""
    return bound_to(access_log.name, shop_id or 0, str(position))
