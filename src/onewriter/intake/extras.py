"""Shopify's metafields: fields that our reading of customers does not bring, looked at before and after each write.

What Shopify says of them becomes a part of its side, as anything else does. The echo of our own write is logged as
ours; whatever else somebody writes into them there is refused, parked, and put right, since Shopify owns none of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from onewriter.connectors.interface import Record
from onewriter.customers import expected, parked, pending, profiles
from onewriter.customers.log import LogLine
from onewriter.customers.parked import Unplaced
from onewriter.customers.profiles import Profile
from onewriter.intake.reading import Reading
from onewriter.records import SHOPIFY, Instant, Path
from onewriter.rules.policy import ONEWRITER


def take_extras(
    db: Connection, reading: Reading, fields: Sequence[str], records: Sequence[Record], now: Instant
) -> None:
    """Take in what these records say of metafields, under the locks that reading the same customers has taken."""
    told = {int(each.id): {name: each.fields.get(name) for name in fields} for each in records}
    awaited = expected.of_records(db, reading.vault.shop_id, SHOPIFY, [str(number) for number in told])
    changed: list[Profile] = []
    unplaced: list[Unplaced] = []
    for number, profile in profiles.load(db, reading.vault, list(told)).items():
        news = {name: value for name, value in told[number].items() if profile.side.get(name) != value}
        if not news:
            continue
        _hear(reading, profile, news, awaited.get(str(number), {}), unplaced)
        profile.side.update(news)
        profile.changed = True
        changed.append(profile)
    profiles.save(db, reading.vault, changed, now)
    parked.park_all(db, reading.vault.shop_id, unplaced, now, run_id=reading.run_id)
    again = [(SHOPIFY, each.customer_id, each.field) for each in unplaced]
    pending.mark(db, reading.vault.shop_id, again, now, run_id=reading.run_id)


def _hear(
    reading: Reading,
    profile: Profile,
    news: Mapping[str, Any],
    awaited: Mapping[str, bytes],
    unplaced: list[Unplaced],
) -> None:
    """Log what became of each: our own writes read back, and what others wrote there."""
    assert profile.key is not None
    assert profile.customer_id is not None
    ours = {name: value for name, value in news.items() if awaited.get(name) == profile.key.digest(value)}
    if ours:
        profile.log.append(_line(reading, profile, ours, Path.SEND, ONEWRITER, None))
    for name, value in news.items():
        if name in ours or name not in profile.side:
            # What stood there when it was first looked at is nobody's edit.
            continue
        reason = f"owned by {reading.policy.owner_of(name)}"
        unplaced.append(Unplaced(profile.customer_id, profile.key, SHOPIFY, name, value, reason))
        profile.log.append(_line(reading, profile, {name: value}, Path.READ, SHOPIFY, reason))


def _line(
    reading: Reading, profile: Profile, new: Mapping[str, Any], path: Path, writer: str, refused: str | None
) -> LogLine:
    return LogLine(
        tuple(new), path, None, accepted=refused is None, reason=refused, run_id=reading.run_id,
        old={name: profile.side.get(name) for name in new}, new=dict(new), system=SHOPIFY, writer=writer,
    )  # fmt: skip
