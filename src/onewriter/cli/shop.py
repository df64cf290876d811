"""`onewriter shop`: connect shops, list, show and disconnect them."""

from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.frame import DONE, PARTLY, PartlyDone
from onewriter.cli.inputs import (
    as_json,
    base_url,
    confirm,
    full_domain,
    region_code,
    secret_option,
    yes_option,
)
from onewriter.cli.output import answer, details, note, say, table, when
from onewriter.customers import find, marks, shops
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.errors import OnewriterError
from onewriter.intake.connect import Connected, Wish
from onewriter.records import Instant, iso
from onewriter.runtime import Runtime, now
from onewriter.shopify import scopes
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION


@click.group("shop")
def group() -> None:
    """Connect shops, list, show and disconnect them."""


@group.command("connect")
@click.argument("domain")
@secret_option("--access-token", "SHOPIFY_ACCESS_TOKEN", "The app's token")
@click.option("--client-id", help="The app's client id, for an app that gets its tokens by client credentials.")
@secret_option("--client-secret", "SHOPIFY_CLIENT_SECRET", "The app's client secret")
@secret_option(
    "--api-secret",
    "SHOPIFY_API_SECRET",
    "What signs webhooks, once for each live one; by default the client secret",
    multiple=True,
)
@click.option("--public-url", required=True, metavar="URL", help="Where Shopify reaches `onewriter serve`; https.")
@click.option("--admin-url", metavar="URL", help="Another address than https://DOMAIN: a sandbox, a proxy.")
@click.option("--region", metavar="CODE", help="ISO country that reads phone numbers without a country code.")
@as_json
def connect(
    domain: str, public_url: str, admin_url: str | None, region: str | None, as_json: bool, **secrets: Any
) -> int:
    """Connect a shop, subscribe to its webhooks and queue the import of its customers.

    DOMAIN is its myshopify.com domain; `tea` stands for tea.myshopify.com. The app proves itself by --access-token, or
    by --client-id and --client-secret. A secret is given as it stands (which shows in `ps`), in the environment, as
    @FILE to read it from a file, or as - to be asked for it without echo.

    The command returns at once: a worker carries the import out. Connecting again replaces the credentials and keeps
    all else. Exits with 5 when Shopify refused a subscription.
    """
    shop_domain = full_domain(domain)
    credentials = _credentials(**secrets)
    public = base_url(public_url, "--public-url")
    admin = base_url(admin_url or f"https://{shop_domain}", "--admin-url")
    chosen_region = region_code(region)
    with session.opened() as runtime:
        wish = Wish(
            shop_domain,
            admin,
            public,
            API_VERSION,
            chosen_region or region_code(runtime.settings.text("region")),
            credentials,
        )
        done = _connect(runtime, wish)
        with runtime.database.read() as db:
            lives = session.worker_lives(runtime, db)
    answer(as_json, _connected_document(wish, done, lives), lambda: _tell_connected(wish, done, lives))
    return PARTLY if done.report.refused else DONE


def _credentials(
    access_token: str | None, client_id: str | None, client_secret: str | None, api_secret: tuple[str, ...]
) -> Credentials:
    if access_token and client_id:
        raise click.UsageError("Give --access-token, or --client-id and --client-secret, not both")
    if access_token:
        if not api_secret:
            raise click.UsageError("--api-secret is needed, since webhooks are signed with it")
        return Credentials("token", access_token=access_token, api_secrets=api_secret)
    if not client_id or not client_secret:
        raise click.UsageError("Give --access-token, or both --client-id and --client-secret")
    # The client secret of an app is also what signs its webhooks.
    return Credentials(
        "client_credentials",
        client_id=client_id,
        client_secret=client_secret,
        api_secrets=api_secret or (client_secret,),
    )


def _connect(runtime: Runtime, wish: Wish) -> Connected:
    moment = now()
    with runtime.client_for(wish.admin_url, wish.credentials, wish.api_version) as client:
        try:
            return runtime.connector().connect(client, wish, session.actor(), moment)
        except OnewriterError as error:
            if _was_written(runtime, wish.domain, moment):
                raise PartlyDone(
                    f"{wish.domain} is connected and its import is queued, but no webhook could be subscribed to: "
                    f"{error} Run the same command again."
                ) from None
            raise


def _was_written(runtime: Runtime, domain: str, moment: Instant) -> bool:
    with runtime.database.read() as db:
        shop = shops.by_domain(db, domain)
    return shop is not None and shop.connected_at == moment


def _connected_document(wish: Wish, done: Connected, lives: bool) -> dict[str, Any]:
    return {
        "shop": wish.domain,
        "run": done.run_id,
        "scopes_missing": [{"scope": one.scope, "cost": one.cost, "required": one.required} for one in done.missing],
        "subscriptions": {
            "made": list(done.report.made),
            "present": list(done.report.present),
            "refused": [{"topic": topic, "reason": reason} for topic, reason in done.report.refused],
        },
        "compliance_toml": done.toml,
        "worker_lives": lives,
    }


def _tell_connected(wish: Wish, done: Connected, lives: bool) -> None:
    say(f"Connected {wish.domain}.")
    say(
        f"Queued the import of its customers: run {done.run_id}." if done.run_id else "Its import is under way already."
    )
    for lacking in done.missing:
        say(f"Scope missing: {lacking.scope}, so {lacking.cost}.")
    report = done.report
    for title, topics in (("Subscribed to", report.made), ("Subscribed to before", report.present)):
        if topics:
            say(f"{title}: {', '.join(topics)}.")
    for topic, reason in report.refused:
        say(f"Shopify refused the subscription to {topic}: {reason}")
    say()
    say("No program can subscribe to the privacy topics. Put these lines into the app's shopify.app.toml:")
    say()
    say(done.toml.rstrip())
    say()
    if lives:
        say("Next: `onewriter runs watch` shows the import.")
    else:
        say("Next: `onewriter serve` starts the import, since no worker is running; `onewriter runs watch` shows it.")


@group.command("list")
@as_json
def list_shops(as_json: bool) -> None:
    """List the shops, connected or not."""
    with session.opened() as runtime, runtime.database.read() as db:
        documents = [_document(db, shop) for shop in shops.every(db)]

    def tell() -> None:
        if not documents:
            note("No shop is connected yet; run `onewriter shop connect DOMAIN`.")
            return
        columns = ("domain", "state", "name", "customers", "connected_at")
        table(("DOMAIN", "STATE", "NAME", "CUSTOMERS", "CONNECTED"), ([one[c] for c in columns] for one in documents))

    answer(as_json, documents, tell)


@group.command("show")
@click.argument("domain", required=False)
@as_json
def show(domain: str | None, as_json: bool) -> None:
    """Show a shop; without DOMAIN, the only one there is."""
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        document = _document(db, shop) | {
            "waiting_to_be_read": marks.count(db, shop.id),
            "scopes_missing": [one.scope for one in scopes.missing(shop.scopes)],
        }
    answer(as_json, document, lambda: details(document))


def _document(db: Connection, shop: Shop) -> dict[str, Any]:
    return {
        "domain": shop.domain,
        "state": shop.state,
        "name": shop.name,
        "customers": find.count_active(db, shop.id),
        "currency": shop.currency,
        "timezone": shop.timezone,
        "region": shop.region,
        "admin_url": shop.admin_url,
        "public_url": shop.public_url,
        "api_version": shop.api_version,
        "scopes": list(shop.scopes),
        "installed_at": iso(shop.installed_at),
        "connected_at": iso(shop.connected_at),
        "disconnected_at": iso(shop.disconnected_at),
    }


@group.command("disconnect")
@click.argument("domain")
@yes_option
@as_json
def disconnect(domain: str, yes: bool, as_json: bool) -> None:
    """Stop working for a shop; its customers stay.

    Its webhook secrets stay too, so that Shopify's request to redact the shop is still heard. To end the deliveries,
    uninstall the app in Shopify.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
        changed = shop.state == CONNECTED
        moment = now()
        if changed:
            confirm(f"Stop working for {shop.domain}?", yes)
            with runtime.database.write() as db:
                shops.disconnect(db, shop.id, moment)
    since = moment if changed else shop.disconnected_at
    document = {"shop": shop.domain, "changed": changed, "disconnected_at": iso(since)}
    word = "Disconnected" if changed else "Disconnected before:"
    answer(as_json, document, lambda: say(f"{word} {shop.domain}, {when(since)}. Its customers stay."))
