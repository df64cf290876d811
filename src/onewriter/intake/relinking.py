"""Looking again at records that we hold already: those of nobody, once somebody new came, and all, once the policy
changed.
"""

from sqlalchemy import Connection

from onewriter.customers import matching, pending, remote
from onewriter.intake.reading import Reading, keep, open_locked
from onewriter.records import Instant
from onewriter.rules import settling
from onewriter.rules.settling import Meeting

AT_ONCE = 500


def relink(db: Connection, reading: Reading, now: Instant, *, after: str, since: Instant) -> tuple[int, str]:
    """Link the next records of nobody to customers who came or changed since then, and look at each anew.

    Returns how many were linked, and behind which record to go on; empty when there are no more.
    """
    linked, last = matching.relink(
        db,
        reading.vault,
        reading.policy,
        reading.system,
        since,
        now,
        reading.by,
        after=after,
        most=AT_ONCE,
        began=reading.began,
    )
    settle_again(db, reading, sorted(linked), now)
    return len(linked), last


def resettle_some(db: Connection, reading: Reading, after: str, most: int, now: Instant) -> str:
    """Look at the next linked records anew; the name of the last of them, empty when there were none left."""
    names = remote.linked_names(db, reading.vault.shop_id, reading.system, after=after, most=most)
    settle_again(db, reading, names, now)
    return names[-1] if names else ""


def settle_again(db: Connection, reading: Reading, names: list[str], now: Instant, *, marking: bool = True) -> None:
    """Settle these records as if they met their customers for the first time, and mark what must be sent."""
    records = remote.load(db, reading.vault, reading.system, names)
    people = open_locked(db, reading, {one.customer_id for one in records.values() if one.customer_id}, now)
    marks: list[tuple[str, bytes, str]] = []
    saved = []
    for one in records.values():
        person = people.get(one.customer_id) if one.customer_id is not None else None
        if person is None or not person.live or one.gone is not None:
            continue
        met = Meeting(own=person.fields, told=one.fields, now=now, first=True)
        settled = settling.settle(reading.policy, reading.system, met, region=reading.region)
        keep(reading, one, person, settled, now)
        marks += [(reading.system, person.id, name) for name in settled.send]
        saved.append(one)
    remote.save(db, reading.vault, saved, now)
    if marking:
        pending.mark(db, reading.vault.shop_id, marks, now, run_id=reading.run_id)
