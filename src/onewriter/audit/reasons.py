"""Why a customer differs, as far as the deliveries that reached us tell.

A difference is a change in the shop that we do not hold. Whoever looks for its reason looks for the delivery that
should have told it: of the right topic, and triggered between the last thing that we held and the read that found the
difference. It never came, it came too late, it was not taken, or it was taken and the difference is our own fault.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from onewriter.audit.compare import Ill
from onewriter.customers.inbox import DONE, WAITING, Told
from onewriter.customers.profiles import Side
from onewriter.records import PROFILE_FIELDS, Change, Instant
from onewriter.shopify.topics import DELETE_TOPIC, FULL_TOPICS, MERGE_TOPIC

SHOWN_MAX = 5
"""Deliveries that a finding names; the newest."""

TOPICS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(PROFILE_FIELDS, FULL_TOPICS),
    "tags": ("customer.tags_added", "customer.tags_removed"),
    "email_consent": ("customers_email_marketing_consent/update",),
    "sms_consent": ("customers_marketing_consent/update",),
    "whatsapp_consent": ("customers_whats_app_marketing_consent/update",),
    Ill.MISSING: FULL_TOPICS,
    Ill.HIDDEN: FULL_TOPICS,
    Ill.UNDELETED: (DELETE_TOPIC, MERGE_TOPIC),
}
"""The topics that tell of each field, and of each thing that can be wrong with a whole customer."""


class Reason(StrEnum):
    """The probable reason of a difference."""

    NEVER = "never delivered"
    LATE = "delivered late"
    REFUSED = "refused"
    NOT_APPLIED = "not applied"


@dataclass(frozen=True, slots=True)
class Sought:
    """The delivery that should have told of a difference."""

    topics: tuple[str, ...]
    since: Instant
    """Triggered then or later: what was told before, we had."""
    until: Instant
    """Triggered before that: when the read began that found the difference."""
    answered: Instant | None = None
    """When a read began that answered every doorbell which had been dealt with by then."""


def sought(ill: Ill, field: str | None, side: Side | None, read: Change) -> Sought:
    """The delivery to look for, of one field of a drift or of a customer that is wrong as a whole."""
    topics = TOPICS[field or ill]
    if side is None:
        return Sought(topics, read.created or read.version or 0, read.heard)
    if ill is Ill.HIDDEN:
        return Sought(topics, side.deleted or 0, read.heard)
    if ill is Ill.UNDELETED:
        return Sought(topics, side.version, read.heard, side.read_began)
    if field in PROFILE_FIELDS:
        return Sought(topics, _unheard_since(side, field, read), read.heard)
    return Sought(topics, side.read_began or side.version, read.heard, side.read_began)


def _unheard_since(side: Side, field: str, read: Change) -> Instant:
    """From when on a delivery told of the version that Shopify has, and we had not heard it.

    Versions tick in seconds. Where the delivery that we hold is of that very second and told the field, another came
    after it. Where it did not tell the field, because it was null there, it is the one that we look for.
    """
    version = read.version or 0
    if field not in side.fields:
        # Never said, or denied to us whenever it was: then the very delivery that we hold is the one that should have.
        return version
    of_version, _read, heard = side.others.get(field, (side.version, 0, side.heard))
    return max(version, heard + 1) if of_version == version else version


def reason(wanted: Sought, told: Iterable[Told]) -> tuple[Reason, list[Told]]:
    """The probable reason, and the deliveries that speak for it; `told` are those of the customer, known by now."""
    fitting = [delivery for delivery in told if _fits(wanted, delivery)]
    for kind, found in (
        (Reason.LATE, [delivery for delivery in fitting if _is_late(delivery, wanted.until)]),
        (Reason.NOT_APPLIED, [delivery for delivery in fitting if _was_taken(delivery)]),
        (Reason.REFUSED, fitting),  # parked, dropped, or dealt with as a refusal
    ):
        if found:
            return kind, found
    return Reason.NEVER, []


def _fits(wanted: Sought, delivery: Told) -> bool:
    if delivery.topic not in wanted.topics or (delivery.topic == MERGE_TOPIC and not _merges_away(delivery)):
        return False
    if delivery.state == DONE and wanted.answered is not None and (delivery.ended or 0) <= wanted.answered:
        return False
    return wanted.since <= delivery.at < wanted.until


def _merges_away(delivery: Told) -> bool:
    """True unless the customer is the one that was kept, or the merge was told as failed."""
    return delivery.merged_away and not (delivery.state == DONE and not _was_taken(delivery))


def _is_late(delivery: Told, until: Instant) -> bool:
    """Received after the difference was found, or not dealt with yet. One that was only slow, and applied, has healed
    the difference itself.
    """
    return delivery.received > until or delivery.state == WAITING


def _was_taken(delivery: Told) -> bool:
    return delivery.state == DONE and not (delivery.outcome or "").startswith("refused")


def evidence(wanted: Sought, side: Side | None, read: Change, spoke: Sequence[Told]) -> dict[str, Any]:
    """What a finding keeps: topics, times and positions, and nothing of a person."""
    here: dict[str, Any] | None = None
    if side is not None:
        here = {"version": side.version, "heard_at": side.heard, "path": side.path.value, "state": side.state}
        here |= {"read_began": side.read_began, "deleted_at": side.deleted}
    return {
        "looked_for": asdict(wanted),
        "deliveries": shown(spoke),
        "shopify": {"version": read.version, "created_at": read.created},
        "here": here,
    }


def shown(spoke: Sequence[Told]) -> list[dict[str, Any]]:
    """The newest of the deliveries that speak for a reason, for people and JSON."""
    newest = sorted(spoke, key=lambda delivery: delivery.position)[-SHOWN_MAX:]
    return [asdict(delivery) for delivery in newest]
