"""The register of personal data: for each table, how it is sealed, purged, exported and merged.

Whatever purges, exports or merges walks this register, so that a new table cannot be forgotten: a house test fails for
a table, a box or a token column that is not named here.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import LargeBinary, Table

from onewriter.db import keytables, webtables

Purge = Literal["delete", "hash", "redact", "end of day key", "never"]
Merge = Literal["move", "stay", "alias", "none"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a table holds of a person, and what becomes of it."""

    table: str
    subject: str | None
    """The column that leads to the customer; None for a table without personal data."""
    other: str | None = None
    """The column that leads to a second customer, of what speaks of two."""
    sealed: tuple[str, ...] = ()
    """Columns that are boxes: readable with a key of the key store only."""
    tokens: tuple[str, ...] = ()
    """Columns that are keyed digests, hashes or blind indexes: they tell only whether two values are equal."""
    ids: tuple[str, ...] = ()
    """Columns with a Shopify customer id in clear."""
    purge: Purge = "never"
    """delete: the rows go; hash: ids are emptied, their hash stays; redact: sealed columns are emptied."""
    exported: bool = False
    """Whether a data request tells the person what stands here."""
    merge: Merge = "none"
    """move: rows follow the kept customer; stay: they keep naming the deleted one; alias: found through the alias."""
    why: str = ""
    outlives_shop: bool = False
    """Whether rows stay when everything of their shop is erased: receipts, and what belongs to no shop."""


REGISTER: tuple[Entry, ...] = (
    Entry(
        "shops",
        None,
        sealed=("box",),
        tokens=("authorize_hash",),
        why="The shop's credentials, sealed under the shop's key; no customer.",
        outlives_shop=True,
    ),
    Entry("runs", None, why="Counts, times and ids of bulk operations.", outlives_shop=True),
    Entry("workers", None, why="Processes of ours.", outlives_shop=True),
    Entry(
        "inbox",
        "subject_hash",
        other="other_hash",
        sealed=("box",),
        tokens=("subject_hash", "other_hash"),
        purge="delete",
        exported=True,
        merge="stay",
        why="Bodies as received; the day's key ends after inbox_keep_days whatever else happens.",
    ),
    Entry(
        "customers",
        "id",
        sealed=("box", "kept_box"),
        tokens=("email_token", "phone_token", "field_digests"),
        ids=("shopify_id",),
        purge="delete",
        exported=True,
        merge="stay",
        why="The deleted customer of a merge keeps its row, hidden, until its own purge.",
    ),
    Entry(
        "sides",
        "customer_id",
        sealed=("box",),
        tokens=("raw_digest", "field_digests", "email_token", "phone_token"),
        ids=("record_id",),
        purge="delete",
        exported=True,
        merge="move",
        why="What each system last said; a side of Shopify stays with its own id.",
    ),
    Entry(
        "systems",
        None,
        sealed=("box", "cursor_box"),
        why="How connected systems are reached, sealed under the shop's key; no customer.",
    ),
    Entry("policies", None, why="Policy: who may write which field, and by what a person is known."),
    Entry(
        "expectations",
        "customer_id",
        tokens=("digest",),
        ids=("record_id",),
        purge="delete",
        exported=True,
        merge="none",
        why="What we wrote to a system and have not read back yet; of a merged-away customer nothing is awaited.",
    ),
    Entry(
        "field_log",
        "customer_id",
        sealed=("box",),
        tokens=("digests",),
        purge="delete",
        exported=True,
        merge="stay",
        why="Who wrote what; the log of a merged-away customer is reached through its alias.",
    ),
    Entry("links", "customer_id", ids=("record_id",), purge="delete", exported=True, merge="move"),
    Entry(
        "aliases",
        "deleted_hash",
        other="kept_hash",
        tokens=("deleted_hash", "kept_hash"),
        ids=("deleted_id", "kept_id"),
        purge="hash",
        exported=True,
        merge="alias",
        why="Kept for ever as a pair of hashes, so that a late fact still finds the kept customer.",
    ),
    Entry("tombstones", "id_hash", tokens=("id_hash",), purge="never", why="The hash says only: this id is gone."),
    Entry(
        "erasures",
        None,
        tokens=("id_hashes",),
        why="Receipts: hashes of ids, counts and times, and no value.",
        outlives_shop=True,
    ),
    Entry("refetch_marks", "shopify_id", ids=("shopify_id",), purge="delete", merge="stay"),
    Entry("pending_marks", "customer_id", sealed=("box",), purge="delete", exported=True, merge="move"),
    Entry("parked_values", "customer_id", sealed=("box",), purge="delete", exported=True, merge="move"),
    Entry("findings", "customer_id", purge="delete", exported=True, merge="move"),
    Entry("audits", None, why="Counts and sentences about fields and systems."),
    Entry("cases", None, why="Which field is wrong and why, in sentences without values; who is in case_rows."),
    Entry(
        "case_rows",
        "customer_id",
        tokens=("wrong_digest", "right_digest"),
        ids=("record_id",),
        purge="delete",
        exported=True,
        merge="none",
        why="The case of a merged customer keeps naming it, so that the merge can be checked.",
    ),
    Entry("case_checks", "customer_id", purge="delete", exported=True, merge="none", why="Proof of a fix."),
    Entry("case_answers", None, why="What people answered about a case."),
    Entry("case_steps", None, why="What was done about a case, by whom."),
    Entry(
        "entries",
        "customer_id",
        purge="delete",
        exported=True,
        merge="move",
        why="Points, amounts and times in clear, and ids of orders; nothing of who the customer is.",
    ),
    Entry("accounts", "customer_id", purge="delete", exported=True, merge="none", why="Figures made from the entries."),
    Entry("receipts", None, why="Proof of merges and of awards taken back: ids of ours, totals and counts."),
    Entry("programmes", None, why="Policy."),
    Entry(
        "order_marks",
        "waits_for",
        ids=("waits_for",),
        purge="delete",
        why="Orders that are to be read, by their ids; with the customer who must be known first.",
    ),
    Entry(
        "questions",
        None,
        why="Texts and evidence hold counts, topics and ids of ours, never values or ids of Shopify's.",
    ),
    Entry("name_tokens", "customer_id", tokens=("token",), purge="delete", merge="stay"),
    Entry(
        "people", None, why="Who may see what, by the name that the operating system has for them.", outlives_shop=True
    ),
    Entry("logins", None, why="Who may log in, and the hash of a password.", outlives_shop=True),
    Entry(
        "invitations",
        None,
        tokens=("hash",),
        why="Links that let somebody choose a password, once.",
        outlives_shop=True,
    ),
    Entry("sessions", None, tokens=("hash",), why="Who is logged in: hashes of cookies.", outlives_shop=True),
    Entry("tokens", None, tokens=("hash",), why="Programs that may ask: hashes of their tokens.", outlives_shop=True),
    Entry(
        "replies",
        None,
        sealed=("box",),
        tokens=("request",),
        why="Answers to writes of programs, sealed by the token's own secret; dropped after a day.",
        outlives_shop=True,
    ),
    Entry("notices", None, why="What people are told of, in sentences of ours with ids of ours."),
    Entry(
        "access_log",
        None,
        sealed=("box",),
        tokens=("mac",),
        why="Proof of who saw what: ids of ours that lead nowhere after a purge; the reason dies with the key.",
        outlives_shop=True,
    ),
    Entry(
        "privacy_requests",
        None,
        tokens=("subject_hash",),
        why="Receipts of what was asked of us in law: hashes, ids of ours, times, and no value.",
        outlives_shop=True,
    ),
)

KEY_REGISTER: tuple[Entry, ...] = (
    Entry("master_keys", None, sealed=("proof",), why="A known text, to tell a wrong master key at once."),
    Entry("subject_keys", "id", sealed=("wrapped",), purge="redact", why="The mark of a destroyed key stays."),
    Entry("shop_keys", None, sealed=("wrapped",), why="Destroyed when the shop is redacted."),
    Entry("index_keys", None, sealed=("wrapped",), why="Destroyed once every token is made with the next one."),
    Entry("erased_ids", None, tokens=("id_hash",), why="So that no backup brings back who was erased."),
    Entry("log_heads", None, sealed=("wrapped",), tokens=("mac",), why="The end of the access log, and its key."),
    Entry("copies", None, why="When the key store was copied."),
    Entry(
        "day_keys", None, sealed=("wrapped",), purge="end of day key", why="Destroyed inbox_keep_days after the day."
    ),
)


def unregistered() -> list[str]:
    """What the register forgets: tables that it does not name, and binary columns that it does not explain."""
    forgotten: list[str] = []
    for metadata, entries in ((webtables.metadata, REGISTER), (keytables.metadata, KEY_REGISTER)):
        known = {entry.table: entry for entry in entries}
        for table in metadata.tables.values():
            entry = known.get(table.name)
            if entry is None:
                forgotten.append(table.name)
                continue
            explained = {*entry.sealed, *entry.tokens, *entry.ids, entry.subject}
            forgotten.extend(f"{table.name}.{name}" for name in _suspects(table) if name not in explained)
    return forgotten


def _suspects(table: Table) -> list[str]:
    """Columns that could hold something of a person: everything binary but our own ids, and every Shopify id."""
    own_ids = {"id", "customer_id", "key_id", "merged_into", "origin_id", "lot_id", "dropped_by"}
    own_ids |= {"kept_customer_id", "deleted_customer_id", "receipt_id"}
    return [
        column.name
        for column in table.columns
        if (isinstance(column.type, LargeBinary) and column.name not in own_ids)
        or column.name in ("shopify_id", "record_id", "deleted_id", "kept_id")
    ]
