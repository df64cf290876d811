"""Watching a connected shop: which scopes it grants, whether its webhooks lead to our door, and in which version.

Shopify deletes a subscription without a word, and what happened meanwhile is never delivered. So each topic that is
missing is made again and reported, and the gap is closed by a full reconcile: a changed tag or a deletion of the gap
has moved no `updated_at` by which a recent one could find it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection

from onewriter.customers import findings, inbox, questions, runs, shops
from onewriter.customers.findings import Finding
from onewriter.customers.questions import Ask
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.db.engine import Database
from onewriter.intake.connect import DOOR_PATH
from onewriter.records import DAY, Instant
from onewriter.shopify import scopes, subscriptions
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import ShopSurvey, survey
from onewriter.shopify.scopes import MissingScope
from onewriter.shopify.subscriptions import Subscription, SubscriptionReport

SCOPES = "scopes"
"""The kind of question that a required scope asks when it is missing."""
SUBSCRIPTION = "subscription"
API_VERSION = "api version"
REQUESTED_BY = "webhook watch"

LOST = "There is no subscription: Shopify refused it, or deleted it after eight failed deliveries in a row."
NEW = "The scope for it was granted only now."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found, and what was done about it."""

    missing: tuple[MissingScope, ...]
    """The scopes that are not granted, required ones first."""
    report: SubscriptionReport
    versions: tuple[str, ...]
    """API versions of deliveries that onewriter is not known to read."""
    run_id: str | None
    """The full reconcile that was queued, None when none was needed or one is under way."""

    @property
    def works(self) -> bool:
        """True when every required scope is granted, so that customers can be read at all."""
        return not any(one.required for one in self.missing)


@dataclass(frozen=True, slots=True)
class _Look:
    """What Shopify said of one shop."""

    shop: Shop
    """The shop as it stood before."""
    found: ShopSurvey
    heard: Instant
    there: list[Subscription]
    lacking: dict[str, str]

    @property
    def url(self) -> str:
        return self.shop.public_url + DOOR_PATH

    @property
    def versions(self) -> list[str | None]:
        """The versions in which Shopify means to write our deliveries."""
        return [self.found.webhook_version, *(one.api_version for one in self.there if one.uri == self.url)]


@dataclass(frozen=True, slots=True)
class Watch:
    """Watches shops. `client_of` opens a shop's client, and `enqueue` hands a run to the workers."""

    database: Database
    client_of: Callable[[int], AdminClient]
    enqueue: Callable[[Connection, str], None]
    new_run_id: Callable[[Instant], str]
    clock: Callable[[], Instant]

    def once(self, shop_id: int) -> Watched | None:
        """Look at one shop and mend what can be mended; None for a shop that is not connected.

        Raises what the client raises. Two that look at the same shop at once do no harm: the second finds nothing.
        """
        with self.database.read() as db:
            shop = shops.by_id(db, shop_id)
        if shop.state != CONNECTED:
            log.info("shop is not watched", shop=shop.id, reason=shop.state)
            return None
        client = self.client_of(shop.id)
        look = self._look(client, shop)
        if look.lacking:
            # On disk before anything is mended: who dies in between leaves the gap to the next look.
            with self.database.write() as db:
                self._report_lost(db, look)
        report = subscriptions.make(client, look.url, look.lacking)
        with self.database.write() as db:
            return self._settle(db, look, report)

    def _look(self, client: AdminClient, shop: Shop) -> _Look:
        found = survey(client)
        heard = self.clock()
        there = subscriptions.listed(client)
        wanted = scopes.topics_allowed(found.scopes)
        return _Look(shop, found, heard, there, subscriptions.lacking(there, shop.public_url + DOOR_PATH, wanted))

    def _report_lost(self, db: Connection, look: _Look) -> None:
        """A finding of the topics that no open one names yet."""
        # Every other watch of the shop waits from here on, so that nothing is reported twice.
        shops.locked(db, look.shop.id)
        known = {topic for topics in self._open_topics(db, look.shop.id).values() for topic in topics}
        before = scopes.topics_allowed(look.shop.scopes)
        fresh = [topic for topic in look.lacking if topic not in known]
        for reason, topics in (
            (LOST, [topic for topic in fresh if topic in before]),
            (NEW, [topic for topic in fresh if topic not in before]),
        ):
            if topics:
                log.warning("subscriptions are missing", shop=look.shop.id, topics=topics)
                found = Finding(SUBSCRIPTION, reason, evidence={"topics": topics})
                findings.add(db, look.shop.id, found, self.clock())

    def _settle(self, db: Connection, look: _Look, report: SubscriptionReport) -> Watched | None:
        """Write down what was found, and queue the reconcile that closes a gap; None if the shop has left meanwhile."""
        shop, now = look.shop, self.clock()
        held = shops.locked(db, shop.id)
        if held.state != CONNECTED:
            return None
        missing = scopes.missing(look.found.scopes)
        regained = self._ask_for_scopes(db, shop, missing, now)
        closed = self._closed(db, shop.id, dict(report.refused), now)
        run_id = self._queue_reconcile(db, shop.id, now) if closed or regained else None
        if run_id is not None:
            # One that is under way may have read past what changed in the gap: then the next look queues another.
            findings.heal(db, closed, now)
        versions = self._note_versions(db, look, now)
        # Emptied since we began: the scopes have changed again, and the next look must come at once.
        emptied = shop.checked_at is not None and held.checked_at is None
        shops.change(db, shop.id, self._columns(look, None if emptied else now))
        return Watched(tuple(missing), report, tuple(versions), run_id)

    def _columns(self, look: _Look, checked_at: Instant | None) -> dict[str, Any]:
        """What the shop says of itself now, and when it was looked at."""
        found = look.found
        values: dict[str, Any] = {"name": found.name, "currency": found.currency, "timezone": found.timezone}
        values |= {"scopes": sorted(found.scopes), "checked_at": checked_at}
        if found.date is not None:
            values |= {"shopify_date": found.date, "shopify_date_heard": look.heard}
        return values

    def _ask_for_scopes(self, db: Connection, shop: Shop, missing: list[MissingScope], now: Instant) -> bool:
        """Ask for required scopes that are missing; True when one that was missing is granted again."""
        lacking = {one.scope: one for one in missing if one.required}
        for one in lacking.values():
            questions.ask(db, shop.id, _question(shop, one), now)
        back = [one.scope for one in scopes.missing(shop.scopes) if one.required and one.scope not in lacking]
        questions.withdraw(db, shop.id, SCOPES, [scope for scope in scopes.REQUIRED if scope not in lacking], now)
        return bool(back)

    def _closed(self, db: Connection, shop_id: int, refused: dict[str, str], now: Instant) -> list[bytes]:
        """The open findings whose topics are subscribed to again; what Shopify refuses becomes a finding of its own."""
        known = self._open_topics(db, shop_id)
        reported = {topic for topics in known.values() if topics <= refused.keys() for topic in topics}
        for topic in refused.keys() - reported:
            reason = f"Shopify refuses the subscription: {refused[topic]}"
            findings.add(db, shop_id, Finding(SUBSCRIPTION, reason, evidence={"topics": [topic]}), now)
        return [finding_id for finding_id, topics in known.items() if not topics <= refused.keys()]

    def _open_topics(self, db: Connection, shop_id: int) -> dict[bytes, set[str]]:
        known = findings.open_of(db, shop_id, SUBSCRIPTION)
        return {finding_id: set(evidence["topics"]) for finding_id, evidence in known.items()}

    def _queue_reconcile(self, db: Connection, shop_id: int, now: Instant) -> str | None:
        if runs.is_importing(db, shop_id):
            return None  # whoever it has not read yet would seem lost; the next look queues it
        return runs.queue(db, self.enqueue, self.new_run_id(now), shop_id, runs.RECONCILE, REQUESTED_BY, now)

    def _note_versions(self, db: Connection, look: _Look, now: Instant) -> list[str]:
        """One finding a version that is not known to be read, for as long as it is seen."""
        shop_id = look.shop.id
        since = min(look.shop.checked_at or look.shop.connected_at, now - DAY)
        seen = subscriptions.unread_versions([*look.versions, *inbox.versions_since(db, shop_id, since)])
        known = {evidence["version"]: each for each, evidence in findings.open_of(db, shop_id, API_VERSION).items()}
        for version in seen:
            if version not in known:
                log.warning("deliveries come in another version", shop=shop_id, version=version)
                reason = (
                    "Deliveries come in an API version that onewriter is not known to read; set another in the app."
                )
                findings.add(db, shop_id, Finding(API_VERSION, reason, evidence={"version": version}), now)
        findings.heal(db, [each for version, each in known.items() if version not in seen], now)
        return seen


def _question(shop: Shop, one: MissingScope) -> Ask:
    return Ask(
        kind=SCOPES,
        subject=one.scope,
        text=f"The token of {shop.domain} lacks the scope {one.scope}, so {one.cost}. Grant it in the app.",
        answers={"checked": "look at the scopes again"},
        otherwise="the shop is looked at every hour, and goes on by itself once the scope is granted",
        evidence={"scope": one.scope},
    )
