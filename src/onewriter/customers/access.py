"""The access log: who saw or changed protected data, of whom and why; chained, so that no silent edit goes unseen.

A reason is free text, in which people write names: it is sealed by the key of the customer that it is about, and dies
with it. Everything else in a line is ours: ids, names of fields, times.

`append` comes before values are shown or anything is destroyed; `record_restore` after a backup of the main database
was restored and brought to the newest schema. Two limits: an access that was never written is not missed, and whoever
has both databases and the master key can write the whole log anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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

_LAST = select(access_log.c.position, access_log.c.mac, access_log.c.action, access_log.c.subject)
_LAST = _LAST.order_by(access_log.c.position.desc()).limit(1)


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
    key, head = chain.opened_for_writing(keys, ACCESS, now)
    ciphers = _ciphers(keys, key, acts)
    with database.write() as db:
        take_turns(db, ACCESS)
        last = _end(_last(db))
        # Of a log that was cut off, what comes next must not take the place of what is missing.
        end = _write(db, key, max(last, head, key=lambda one: one.position), acts, ciphers, now)
    chain.move_up(keys, ACCESS, end)


def record_restore(
    database: Database, keys: KeyStore, actor: str, role: str, now: Instant, *, reason: str | None = None
) -> str:
    """Write down that the log came out of a backup, and let it go on from the last line that is there.

    Returns what the line says. It may be called again when a process died in it.
    """
    key, head = chain.opened_for_writing(keys, ACCESS, now)
    with database.write() as db:
        take_turns(db, ACCESS)
        row = _last(db)
        last = _end(row)
        end = last
        subject = _cut(head.position, last.position)
        if row is not None and row.action == RESTORED and row.subject == _cut(head.position, last.position - 1):
            subject = row.subject
        else:
            act = Act(RESTORED, actor, role, subject=subject, reason=reason)
            end = _write(db, key, last, [act], _ciphers(keys, key, [act]), now)
    chain.move(keys, ACCESS, end)
    return subject


def _cut(head: int, last: int) -> str:
    return f"log cut from {head} to {last}" if last < head else "nothing of the log lost"


def _last(db: Connection) -> Any:
    return db.execute(_LAST).first()


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
