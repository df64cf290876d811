"""Nominating: which customers of a file or page must be read directly, because their row says other than our side.

A row decides nothing. It may be hours old, and a page may lag behind; it only says whom to look at.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from onewriter.audit.compare import HIDDEN, row_is_older, unequal
from onewriter.customers import profiles, tombstones
from onewriter.customers.profiles import ACTIVE, Side
from onewriter.errors import NotUnderstood
from onewriter.records import Change, Instant
from onewriter.shopify.feed import Piece
from onewriter.shopify.payloads import change_from_bulk_line
from onewriter.shopify.topics import number_in_line
from onewriter.vault.vault import ShopVault

Row = tuple[int | None, bytes, bytes | None]
"""A customer's Shopify id where the line begins with it, the line, and its digest if that tells it again."""


@dataclass(slots=True)
class Nominated:
    """What a piece of the feed comes to."""

    ids: list[int] = field(default_factory=list)
    """Customers to be read directly."""
    learnt: list[tuple[Side, Change]] = field(default_factory=list)
    """Rows that say what their side says, and were not known by their digest."""
    listed: list[int] = field(default_factory=list)
    """Everybody whom the piece names."""
    addresses: dict[int, int] = field(default_factory=dict)
    """Who has which address, by the address's id, of the rows that had to be opened."""
    counts: Counter[str] = field(default_factory=Counter)
    newest: Instant = 0
    """The newest version of the rows that had to be opened; of pages that is every row."""


def nominate(db: Connection, vault: ShopVault, piece: Piece) -> Nominated:
    """Compare a piece of the feed with our sides: by digest first, and what is unknown by that field by field."""
    found = Nominated()
    found.counts["read"] = len(piece.lines)
    rows = [_row(vault, piece, line) for line in piece.lines]
    found.listed = [number for number, _line, _digest in rows if number is not None]
    known = profiles.raw_digests(db, vault.shop_id, found.listed) if piece.raw else {}
    unknown = [row for row in rows if row[2] is None or known.get(str(row[0])) != row[2]]
    found.counts["unchanged"] = len(rows) - len(unknown)
    if unknown:
        _open(db, vault, piece, unknown, found)
        _leave_out_erased(db, vault, found)
    return found


def _leave_out_erased(db: Connection, vault: ShopVault, found: Nominated) -> None:
    """Shopify may go on listing customers that were erased here: they are not read, and nothing is wrong with them."""
    erased = tombstones.purged(db, vault, found.ids)
    if erased:
        found.counts["erased"] = len(erased)
        found.ids = [number for number in found.ids if number not in erased]


def _row(vault: ShopVault, piece: Piece, line: bytes) -> Row:
    return number_in_line(line), line, vault.key.raw_digest(line) if piece.raw else None


def _open(db: Connection, vault: ShopVault, piece: Piece, rows: Iterable[Row], found: Nominated) -> None:
    changes: list[Change] = []
    for number, line, digest in rows:
        try:
            changes.append(
                change_from_bulk_line(line, began=piece.began, position=0, raw_digest=digest, denied=piece.denied)
            )
        except NotUnderstood:
            if number is None:
                found.counts["unreadable"] += 1
            else:
                found.ids.append(number)
    sides = profiles.sides_of(db, vault, [change.record_id for change in changes])
    found.counts["compared"] += len(changes)
    for change in changes:
        _compare(sides.get(change.record_id), change, found)


def _compare(side: Side | None, row: Change, found: Nominated) -> None:
    found.newest = max(found.newest, row.version or 0)
    for address in row.fields.get("addresses") or ():
        found.addresses[address["id"]] = row.record_id
    if side is None:
        found.ids.append(row.record_id)
    elif side.state in HIDDEN:
        _compare_hidden(side, row, found)
    elif not (fields := unequal(side, row)):
        found.counts["unchanged"] += 1
        if _is_lesson(side, row):
            found.learnt.append((side, row))
    elif row_is_older(side, row, fields):
        found.counts["newer_here"] += 1
    else:
        found.ids.append(row.record_id)


def _compare_hidden(side: Side, row: Change, found: Nominated) -> None:
    """A row that was written before the deletion may well name who is deleted since."""
    if side.deleted is not None and side.deleted >= row.heard:
        found.counts["newer_here"] += 1
    else:
        found.ids.append(row.record_id)


def _is_lesson(side: Side, row: Change) -> bool:
    """True for a whole row that is not older than the side. Of a row with fields denied, the next same row may say
    that they are empty.
    """
    return row.raw_digest is not None and not row.denied and side.state == ACTIVE and side.version <= (row.version or 0)
