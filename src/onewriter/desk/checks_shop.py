"""Checks of a connected shop: its token, scopes, webhooks, API versions, reconciles and clock. Nothing is changed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from onewriter.customers import inbox, runs
from onewriter.customers.shops import Shop
from onewriter.desk.checked import Checked, Level
from onewriter.desk.spans import span
from onewriter.errors import OnewriterError
from onewriter.intake.connect import DOOR_PATH
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.shopify import scopes, subscriptions
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import ShopSurvey, survey
from onewriter.shopify.subscriptions import VERSIONS_READ, Subscription
from onewriter.shopify.webhooks import TOPIC_SCOPES
from onewriter.workflows import orders

CLOCK_WARNING_S = 60
CLOCK_FAULT_S = 3600
VERSION_DAYS_LEFT = 60
"""How long before its end a version of the API is warned of."""

VERSIONS_OF: Instant = 7 * DAY
"""How far back the versions of deliveries are looked at."""
RECENT_MAX: Instant = 3 * HOUR
FULL_MAX: Instant = 30 * HOUR
"""How long ago a reconcile may have read: they are queued every hour and every night."""

CONNECT_AGAIN = "connect the shop again"


def check_shop(runtime: Runtime, shop: Shop) -> list[Checked]:
    """All checks of one shop; where the token does not work, there is nothing more to ask Shopify."""
    moment = runtime.now()
    known = _known(runtime, shop, moment)
    try:
        client = runtime.client(shop.id)
        found = survey(client)
    except OnewriterError as error:
        return [Checked("token", Level.FAULT, str(error).rstrip("."), None, shop.domain), *known]
    return [
        Checked("token", Level.OK, "the access token works", None, shop.domain),
        *_scopes(shop, found.scopes),
        *_webhooks(runtime, shop, client, found),
        check_version(shop, shop.api_version, moment),
        check_clock(shop, found.date, runtime.now()),
        *known,
    ]


def check_recorded(runtime: Runtime, shop: Shop, moment: Instant) -> list[Checked]:
    """What is known of a shop without asking Shopify anything: its scopes are those that it had when it was asked."""
    with runtime.database.read() as db:
        seen = inbox.versions_since(db, shop.id, moment - VERSIONS_OF)
    return [
        *_scopes(shop, frozenset(shop.scopes)),
        *([_deliveries(shop, set(seen))] if seen else []),
        check_version(shop, shop.api_version, moment),
        *_known(runtime, shop, moment),
    ]


def _known(runtime: Runtime, shop: Shop, moment: Instant) -> list[Checked]:
    return [*_reconciles(runtime, shop, moment), *_paused(runtime, shop)]


def _scopes(shop: Shop, granted: frozenset[str]) -> Iterator[Checked]:
    lacking = scopes.missing(granted)
    for one in lacking:
        level = Level.FAULT if one.required else Level.WARNING
        step = f"grant it in the app and {CONNECT_AGAIN}"
        yield Checked("scopes", level, f"{one.scope} is missing, so {one.cost}", step, shop.domain)
    if not lacking:
        yield Checked("scopes", Level.OK, "all scopes are granted", None, shop.domain)


def _webhooks(runtime: Runtime, shop: Shop, client: AdminClient, found: ShopSurvey) -> list[Checked]:
    """Whether Shopify brings us what it should, in a form that we read."""
    try:
        there = [one for one in subscriptions.listed(client) if one.uri == shop.public_url + DOOR_PATH]
    except OnewriterError as error:
        return [Checked("subscriptions", Level.FAULT, str(error).rstrip("."), None, shop.domain)]
    with runtime.database.read() as db:
        seen = inbox.versions_since(db, shop.id, runtime.now() - VERSIONS_OF)
    meant = {one.api_version for one in there} | {found.webhook_version}
    return [_subscriptions(shop, there, found.scopes), _deliveries(shop, meant | seen)]


def _subscriptions(shop: Shop, there: Sequence[Subscription], granted: frozenset[str]) -> Checked:
    """Every topic must lead to our door; Shopify deletes a subscription whose deliveries keep failing."""
    url, wanted = shop.public_url + DOOR_PATH, scopes.topics_allowed(granted)
    lacking = subscriptions.lacking(there, url, wanted)
    if not lacking:
        return Checked("subscriptions", Level.OK, f"all {len(wanted)} lead to {url}", None, shop.domain)
    needed = sorted({scope for topic in lacking if (scope := TOPIC_SCOPES[topic]) is not None})
    step = "a worker makes them again within the hour; or " + CONNECT_AGAIN
    step += f" (needs {', '.join(needed)})" if needed else ""
    return Checked("subscriptions", Level.FAULT, f"missing: {', '.join(lacking)}", step, shop.domain)


def _deliveries(shop: Shop, versions: set[str | None]) -> Checked:
    """What another version says may be read wrongly; an app's version is set in the app, not by us."""
    unread = subscriptions.unread_versions(versions)
    if not unread:
        told = ", ".join(sorted(version for version in versions if version)) or VERSIONS_READ[-1]
        return Checked("deliveries", Level.OK, f"come in API version {told}", None, shop.domain)
    step = f"set the webhook API version of the app to {VERSIONS_READ[-1]}, or install a newer onewriter"
    text = f"come in API version {', '.join(unread)}, which this onewriter is not known to read"
    return Checked("deliveries", Level.WARNING, text, step, shop.domain)


def _reconciles(runtime: Runtime, shop: Shop, moment: Instant) -> list[Checked]:
    """What was never delivered is found by the reconciles, so these must not fall behind."""
    with runtime.database.read() as db:
        recent = runs.last_done(db, shop.id, runs.RECENT)
        last = {"recent reconcile": (recent, RECENT_MAX), "full reconcile": (shop.full_at, FULL_MAX)}
        if orders.are_wanted(db, shop.id):
            last["order reconcile"] = (runs.last_done(db, shop.id, runs.ORDERS), RECENT_MAX)
    return [check_age(name, shop, ended, most, moment) for name, (ended, most) in last.items()]


def check_age(name: str, shop: Shop, last: Instant | None, most: Instant, moment: Instant) -> Checked:
    """A reconcile that did not end well for so long; a shop that was connected just now has had no time for one."""
    ago = moment - (shop.connected_at if last is None else last)
    text = "has not ended yet" if last is None else f"last went well {span(max(0, ago) / SECOND)} ago"
    if ago <= most:
        return Checked(name, Level.OK, text, None, shop.domain)
    step = "see that a worker is running, and why the run waits: `onewriter runs list`"
    return Checked(name, Level.WARNING, text, step, shop.domain)


def _paused(runtime: Runtime, shop: Shop) -> Iterator[Checked]:
    """A paused run goes on by itself once the token works again; until then somebody should know."""
    with runtime.database.read() as db:
        waiting = [runs.get(db, run_id) for run_id in runs.paused(db, shop.id)]
    for run in waiting:
        text = f"the {run.kind} is paused: {(run.reason or 'no reason was given').rstrip('.')}"
        yield Checked("runs", Level.WARNING, text, "mend the reason; it goes on within the hour", shop.domain)
    if not waiting:
        yield Checked("runs", Level.OK, "none is paused", None, shop.domain)


def check_version(shop: Shop, version: str, moment: Instant) -> Checked:
    """Shopify answers a version of its API for a year at least, and later another in its place without a word."""
    year, month = (int(part) for part in version.split("-"))
    left = (date(year + 1, month, 1) - datetime.fromtimestamp(moment // SECOND, UTC).date()).days
    step = f"install a newer onewriter and {CONNECT_AGAIN}"
    if left <= 0:
        return Checked("API version", Level.FAULT, f"{version} is not supported any more", step, shop.domain)
    level = Level.WARNING if left <= VERSION_DAYS_LEFT else Level.OK
    text = f"{version} is supported for {left} days more at least"
    return Checked("API version", level, text, step if level is Level.WARNING else None, shop.domain)


def check_clock(shop: Shop, theirs: Instant | None, ours: Instant) -> Checked:
    """Deadlines and purges go by our clock, so it must agree with Shopify's."""
    if theirs is None:
        return Checked("clock", Level.WARNING, "Shopify did not tell its time", "check again later", shop.domain)
    apart_s = abs(ours - theirs) / SECOND
    if apart_s <= CLOCK_WARNING_S:
        return Checked("clock", Level.OK, f"agrees with Shopify's within {CLOCK_WARNING_S} s", None, shop.domain)
    level = Level.FAULT if apart_s > CLOCK_FAULT_S else Level.WARNING
    side = "ahead of" if ours > theirs else "behind"
    return Checked("clock", level, f"is {span(apart_s)} {side} Shopify's", "set this machine's clock", shop.domain)
