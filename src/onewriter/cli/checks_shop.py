"""Checks of a connected shop: its token, scopes, subscriptions, API version and clock. Nothing is changed."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from onewriter.cli.checked import Checked, Level
from onewriter.cli.progress import span
from onewriter.customers.shops import Shop
from onewriter.errors import OnewriterError
from onewriter.intake.connect import DOOR_PATH
from onewriter.records import SECOND, Instant
from onewriter.runtime import Runtime, now
from onewriter.shopify import scopes, subscriptions
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import ShopSurvey, survey
from onewriter.shopify.webhooks import TOPIC_SCOPES

CLOCK_WARNING_S = 60
CLOCK_FAULT_S = 3600
VERSION_DAYS_LEFT = 60
"""How long before its end a version of the API is warned of."""

CONNECT_AGAIN = "connect the shop again"


def check_shop(runtime: Runtime, shop: Shop) -> list[Checked]:
    """All checks of one shop; where the token does not work, there is nothing more to ask."""
    try:
        client = runtime.client(shop.id)
        found = survey(client)
    except OnewriterError as error:
        return [Checked("token", Level.FAULT, str(error).rstrip("."), None, shop.domain)]
    moment = now()
    return [
        Checked("token", Level.OK, "the access token works", None, shop.domain),
        *_scopes(shop, found),
        _subscriptions(shop, client, found.scopes),
        check_version(shop, shop.api_version, moment),
        check_clock(shop, found.date, moment),
    ]


def _scopes(shop: Shop, found: ShopSurvey) -> Iterator[Checked]:
    lacking = scopes.missing(found.scopes)
    for one in lacking:
        level = Level.FAULT if one.required else Level.WARNING
        step = f"grant it in the app and {CONNECT_AGAIN}"
        yield Checked("scopes", level, f"{one.scope} is missing, so {one.cost}", step, shop.domain)
    if not lacking:
        yield Checked("scopes", Level.OK, "all scopes are granted", None, shop.domain)


def _subscriptions(shop: Shop, client: AdminClient, granted: frozenset[str]) -> Checked:
    """Every topic must lead to our door; Shopify deletes a subscription whose deliveries keep failing."""
    wanted = shop.public_url + DOOR_PATH
    try:
        there = {one.topic for one in subscriptions.listed(client) if one.uri == wanted}
    except OnewriterError as error:
        return Checked("subscriptions", Level.FAULT, str(error).rstrip("."), None, shop.domain)
    lacking = [topic for topic, word in scopes.topics_allowed(granted).items() if word not in there]
    if not lacking:
        return Checked("subscriptions", Level.OK, f"all {len(scopes.topics_allowed(granted))} lead to {wanted}", None, shop.domain)
    needed = sorted({scope for topic in lacking if (scope := TOPIC_SCOPES[topic]) is not None})
    step = CONNECT_AGAIN + (f" (needs {', '.join(needed)})" if needed else "")
    return Checked("subscriptions", Level.FAULT, f"missing: {', '.join(lacking)}", step, shop.domain)


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
