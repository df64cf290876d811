"""Why something differs: traced to the deliveries that should have told of it, by the courier's own log.

A difference that nothing explains is a fault of ours: whatever was told and taken must be as in the shop.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from onewriter.audit.settle import ILLS
from onewriter.bench.simulate.journal import Journal
from onewriter.bench.simulate.truth import EXISTENCE, named
from onewriter.bench.simulate.world import World
from onewriter.db.tables import customers, findings
from onewriter.records import PROFILE_FIELDS, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.sandbox import Delivery

FULL = ("customers/create", "customers/update", "customers/enable", "customers/disable")
TOPICS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(PROFILE_FIELDS, FULL),
    "tags": ("customer.tags_added", "customer.tags_removed"),
    "email_consent": ("customers_email_marketing_consent/update",),
    "sms_consent": ("customers_marketing_consent/update",),
    "whatsapp_consent": ("customers_whats_app_marketing_consent/update",),
    EXISTENCE: (*FULL, "customers/delete", "customers/merge"),
}
"""What tells of each field. Written down here once more, since the audit must not be its own judge."""

NEVER, LATE, REFUSED, NOT_APPLIED = "never delivered", "delivered late", "refused", "not applied"


DENIED_SINCE_S = 8 * 3600.0
"""A delivery may be late by hours, so that what was told before a denial may be read in it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found and wrote down."""

    run_id: str
    shopify_id: int
    field: str
    reason: str
    at: Instant


class Tracer:
    """Traces what differed in one seed to the deliveries that should have told of it."""

    def __init__(self, world: World, journal: Journal) -> None:
        self._world, self._journal = world, journal
        self._sent: dict[int, list[Delivery]] = defaultdict(list)
        for sent in world.shop.deliveries:
            for number in named(sent):
                self._sent[number].append(sent)

    def reasons(self, number: int, name: str, at: Instant) -> frozenset[str]:
        """The reasons that are true of a field that differed at a moment; empty when nothing explains it."""
        until = at / SECOND
        since = self._journal.last(number, name, until)
        told = [
            sent for sent in self._sent[number] if sent.topic in TOPICS[name] and since <= sent.triggered_at <= until
        ]
        if not told:
            # Nobody was subscribed, or a line of the import could not be read.
            return frozenset({NEVER})
        return frozenset().union(*(self._reasons(sent, at) for sent in told))

    def _reasons(self, sent: Delivery, at: Instant) -> frozenset[str]:
        if sent.status in ("lost", "failed"):
            return frozenset({NEVER})
        if self._world.arrived.get(sent.webhook_id, at + 1) > at:
            return frozenset({LATE})
        if sent.webhook_id in self._world.garbled:
            return frozenset({REFUSED})
        if any(begins - DENIED_SINCE_S <= sent.triggered_at <= ends for begins, ends in self._world.denials):
            return frozenset({NOT_APPLIED, REFUSED})
        return frozenset()


def found(runtime: Runtime) -> list[Found]:
    """All that reconciles found, oldest first."""
    query = (
        select(
            findings.c.run_id, customers.c.shopify_id, findings.c.field, findings.c.reason, findings.c.found_at,
        )
        .join(customers, customers.c.id == findings.c.customer_id)
        .where(findings.c.kind.in_(sorted(ILLS)))
        .order_by(findings.c.found_at, findings.c.id)
    )  # fmt: skip
    with runtime.database.read() as db:
        return [
            Found(row.run_id, row.shopify_id, row.field or EXISTENCE, row.reason, row.found_at)
            for row in db.execute(query)
        ]
