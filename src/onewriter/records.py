"""The vocabulary: what the parts of onewriter say to each other, as frozen records.

An `Instant` is whole microseconds since 1970-01-01 UTC. It is an integer everywhere, in records and in both
databases, so that comparing two times never depends on a time zone or on a driver.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Instant = int
"""Microseconds since 1970-01-01 UTC."""

Value = Any
"""The canonical value of a field: None (empty), str, bool, a list of str (tags), or a list or dict of plain JSON."""

SECOND: Instant = 1_000_000
HOUR: Instant = 3600 * SECOND
DAY: Instant = 24 * HOUR

SHOPIFY = "shopify"
"""The name of the system that every shop has."""

PROFILE_FIELDS = ("first_name", "last_name", "email", "phone", "note", "state", "locale", "addresses")
"""The fields that Shopify's `updated_at` orders."""

READ_FIELDS = ("tags", "email_consent", "sms_consent", "whatsapp_consent")
"""The fields that only a read can tell: since API version 2025-01 no customer delivery carries them."""

FIELDS = PROFILE_FIELDS + READ_FIELDS
"""Every field that Shopify can hold; connecting a shop records Shopify as the owner of each."""


class Path(StrEnum):
    """How a change reached us."""

    WEBHOOK = "webhook"
    BULK = "bulk"
    READ = "read"
    CYCLE = "cycle"  # a record of a connected system, as a cycle read it
    SEND = "send"  # what we wrote to a system
    HAND = "hand"  # a person, in one of our faces
    CSV = "csv"
    MERGE = "merge"
    UNDO = "undo"  # a run was taken back


class Kind(StrEnum):
    """What a change says of a record."""

    PRESENT = "present"
    DELETED = "deleted"  # a delivery says that it is gone; a direct read must still confirm it
    ABSENT = "absent"  # a direct read by id found nothing, and no error
    RUNG = "rung"  # a doorbell: something has changed that only a read can tell
    MERGED = "merged"  # a delivery says that it was merged into another; a direct read must find it gone
    NOT_MERGED = "not merged"  # a delivery says that a merge of it failed: recorded, and nothing changes


@dataclass(frozen=True, slots=True)
class Change:
    """What one system says of one of its records, as it arrived.

    `fields` holds canonical values: a key that is absent was not said, and None was said to be empty. `denied` names
    the fields that the system would not tell us, which is never the same as empty.
    """

    record_id: int
    kind: Kind
    path: Path
    fields: Mapping[str, Value]
    version: Instant | None
    """The system's own time of the last change to the profile (Shopify: `updated_at`, whole seconds)."""
    heard: Instant
    """When the system says it told us: X-Shopify-Triggered-At, clamped; for a read, when it began."""
    created: Instant | None = None
    """The system's own time of creation."""
    position: int = 0
    """The inbox position this change stands for; for a read, the newest position when the read began."""
    raw_digest: bytes | None = None
    """A keyed digest of the bulk line, so that an unchanged customer costs one comparison."""
    denied: frozenset[str] = frozenset()
    into: int | None = None
    """Of a merge: the record that was kept."""
    system: str = SHOPIFY


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook as it was received. `body` is personal data and never leaves the vault in clear."""

    shop_id: int
    webhook_id: str
    topic: str
    body: bytes
    received: Instant
    triggered: Instant | None = None
    event_id: str | None = None
    api_version: str | None = None


Money = int
"""An amount in millionths of the currency's unit: a whole number, as sums of decimals must be exact."""


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of an order: how much of the order's total went back."""

    id: int
    amount: Money
    at: Instant


@dataclass(frozen=True, slots=True)
class Order:
    """The present state of an order, as far as points depend on it. All times are Shopify's."""

    id: int
    customer: int | None
    """Shopify's id of the customer; None for an order of nobody."""
    version: Instant
    """`updatedAt`."""
    processed: Instant
    """`processedAt`: when it was placed, which for an order that was brought in is long before it was created."""
    currency: str
    """The shop's currency (ISO 4217), in which all amounts are."""
    total: Money
    """What it comes to with tax and shipping, before anything was refunded."""
    subtotal: Money
    """What its goods come to after discounts, before anything was refunded."""
    paid: bool
    """True once it was paid in full, whatever was refunded since."""
    fulfilled: Instant | None = None
    """When the last fulfilment was made, once everything was fulfilled."""
    cancelled: Instant | None = None
    refunds: tuple[Refund, ...] = ()
    """By time, then by id."""
    test: bool = False


class EntryKind(StrEnum):
    """What a ledger entry does."""

    EARN = "earn"
    REDEEM = "redeem"
    ADJUST = "adjust"
    EXPIRE = "expire"
    REVERSE = "reverse"  # takes back an earn, in part or in full, or a redemption in full
    CORRECT = "correct"  # what late news changed about entries that were posted before
    MERGE_FLOOR = "merge_floor"  # lifts a balance that a merge would have left below zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a customer's ledger.

    Nothing of it ever changes but `customer_id` (a merge moved it) and `dropped_by` (a receipt says why it does not
    count). Expiries, floors and their corrections follow from the other entries; those are what happened.
    """

    id: bytes
    customer_id: bytes
    """Who has it now."""
    origin_id: bytes
    """Whose it was when it was posted; the deleted customer of a merge stays the origin of what it brought."""
    kind: EntryKind
    points: int
    """Above zero it adds to the balance, below zero it takes from it."""
    rule: str
    """Of what is earned, the rule that gave it; of an expiry `age` or `inactivity`; else the name of the kind."""
    occurred_at: Instant
    """When it happened, by the clock of the system that says so: Shopify's, but for what people do here."""
    available_at: Instant
    """From when on it can be spent; before that it is pending."""
    expires_at: Instant | None = None
    rule_version: int | None = None
    """The version of the programme that gave it."""
    reference: str | None = None
    """What it stands for, so that it is posted once: an order, a refund, an outside event, an idempotency key."""
    once_key: str | None = None
    """Of what a customer can be given only once in a life: the rule."""
    order_id: int | None = None
    lot_id: bytes | None = None
    """Of an expiry and its corrections, the entry whose points expire; of a redemption taken back, the redemption."""
    amount: Money | None = None
    """Of an order's earn, what the order came to; of its refunds, what went back."""
    version: Instant | None = None
    """Of what a read of an order told, the order's `updatedAt` then."""
    days: int | None = None
    """Of an expiry by inactivity, after how many days without activity."""
    reason: str | None = None
    source: str = SHOPIFY
    """Who says so: `shopify`, or `user:NAME`."""
    run_id: str | None = None
    posted_at: Instant = 0
    dropped_by: bytes | None = None
    """The receipt that says why it does not count."""


class RunState(StrEnum):
    """The life of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"


RUN_OVER = (RunState.DONE, RunState.PARTIAL, RunState.FAILED)


class SizeClass(StrEnum):
    """How big a shop is, in the words merchants know."""

    SMALL = "small"  # fewer than 1,000 customers
    MEDIUM = "medium"  # 1,000 to 10,000, both included
    LARGE = "large"  # more than 10,000


def size_class(customers: int) -> SizeClass:
    """The size class of a shop with that many customers; exactly 1,000 and 10,000 are medium."""
    if customers < 1_000:
        return SizeClass.SMALL
    return SizeClass.MEDIUM if customers <= 10_000 else SizeClass.LARGE


def instant(moment: datetime) -> Instant:
    """The instant of an aware datetime; a naive one is refused, since its zone would be a guess."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone cannot be placed.")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * SECOND + moment.microsecond


def parse_instant(text: str) -> Instant:
    """The instant of an ISO 8601 text with a zone; raises ValueError for anything else."""
    return instant(datetime.fromisoformat(text))


def iso(moment: Instant | None) -> str | None:
    """The instant as ISO 8601 in UTC, to the second, for people and JSON."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dated(value: Value) -> Value:
    """A consent with its time as people read it; anything else as it is."""
    return value | {"at": iso(value["at"])} if isinstance(value, dict) and "at" in value else value


def sortable_id(now: Instant, randomness: bytes) -> bytes:
    """A 16-byte UUID version 7 (RFC 9562): later ones sort later, so that indexes grow at their end.

    `randomness` is 10 fresh random bytes.
    """
    head = (now // 1000).to_bytes(6, "big")
    return head + bytes((0x70 | randomness[0] & 0x0F, randomness[1], 0x80 | randomness[2] & 0x3F)) + randomness[3:10]


def id_text(identity: bytes) -> str:
    """A 16-byte id as people see it."""
    return str(uuid.UUID(bytes=identity))
