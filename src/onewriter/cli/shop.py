"""`onewriter shop`: connect shops, list, show and disconnect them."""

import secrets as chance
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import Role, require
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
from onewriter.customers import shops
from onewriter.customers.shops import DISCONNECTED, NOT_AUTHORIZING
from onewriter.desk import shops as told
from onewriter.intake.authorize import AUTHORIZE_FOR, CALLBACK_PATH
from onewriter.intake.connect import Connected, NotSubscribed, Wish
from onewriter.records import iso
from onewriter.rules.retention import DAYS_MAX, DAYS_MIN
from onewriter.runtime import Runtime, now
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION

STATE_BYTES = 32


@click.group("shop")
def group() -> None:
    """Connect shops, list, show and disconnect them."""


@group.command("connect")
@click.argument("domain")
@secret_option("--access-token", "SHOPIFY_ACCESS_TOKEN", "The app's token")
@click.option("--client-id", help="The app's client id, for an app that gets its tokens by itself.")
@secret_option("--client-secret", "SHOPIFY_CLIENT_SECRET", "The app's client secret")
@secret_option(
    "--api-secret",
    "SHOPIFY_API_SECRET",
    "What signs webhooks, once for each live one; by default the client secret",
    multiple=True,
)
@click.option("--authorize", is_flag=True, help="Ask the merchant: print the address where the app is authorized.")
@click.option("--drop-old-secrets", is_flag=True, help="Accept replaced webhook secrets no longer.")
@click.option("--public-url", required=True, metavar="URL", help="Where Shopify reaches `onewriter serve`; https.")
@click.option("--admin-url", metavar="URL", help="Another address than https://DOMAIN: a sandbox, a proxy.")
@click.option("--region", metavar="CODE", help="ISO country that reads phone numbers without a country code.")
@as_json
def connect(
    domain: str,
    public_url: str,
    admin_url: str | None,
    region: str | None,
    authorize: bool,
    drop_old_secrets: bool,
    as_json: bool,
    **secrets: Any,
) -> int:
    """Connect a shop, subscribe to its webhooks and queue the import of its customers.

    DOMAIN is its myshopify.com domain; `tea` stands for tea.myshopify.com. The app proves itself by --access-token, or
    by --client-id and --client-secret. A secret is given in the environment, as @FILE to read it from a file, or as -
    to be asked for it without echo; as it stands it is refused, since `ps` would show it.

    With --authorize, for an app that merchants install, it prints the address that the merchant opens within 15
    minutes; the web process of `onewriter serve` connects the shop when the merchant has agreed.

    The command returns at once: a worker carries the import out. Connecting again replaces the credentials, resumes
    runs that were paused for want of them, and keeps all else; deliveries signed with a replaced secret are accepted
    for two days more. Exits with 5 when Shopify refused a subscription.
    """
    shop_domain = full_domain(domain)
    credentials = _authorized(**secrets) if authorize else _credentials(**secrets)
    public = base_url(public_url, "--public-url")
    admin = base_url(admin_url or f"https://{shop_domain}", "--admin-url")
    chosen_region = region_code(region)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
        chosen_region = chosen_region or region_code(runtime.settings.text("region"))
        wish = Wish(shop_domain, admin, public, API_VERSION, chosen_region, credentials, drop_old_secrets)
        if authorize:
            _begin(runtime, wish, as_json)
            return DONE
        done = _connect(runtime, wish)
        with runtime.database.read() as db:
            lives = session.worker_lives(runtime, db)
    answer(as_json, _connected_document(wish, done, lives), lambda: _tell_connected(wish, done, lives))
    return PARTLY if done.report.refused else DONE


def _begin(runtime: Runtime, wish: Wish, as_json: bool) -> None:
    """Ask the merchant; the rest happens in the web process."""
    moment = now()
    url = runtime.authorizer().begin(wish, chance.token_urlsafe(STATE_BYTES), session.actor(), moment)
    redirect, until = wish.public_url + CALLBACK_PATH, moment + AUTHORIZE_FOR
    document = {"shop": wish.domain, "authorize_url": url, "redirect_url": redirect, "authorize_until": iso(until)}

    def tell() -> None:
        say(f"Let the merchant of {wish.domain} open this address before {when(until)}:")
        say()
        say(url)
        say()
        say(f"The app must allow the redirection URL {redirect}, and `onewriter serve` must be running behind it.")

    answer(as_json, document, tell)


def _authorized(
    access_token: str | None, client_id: str | None, client_secret: str | None, api_secret: tuple[str, ...]
) -> Credentials:
    if access_token:
        raise click.UsageError("--authorize gets a token, so --access-token does not go with it")
    if not client_id or not client_secret:
        raise click.UsageError("--authorize needs both --client-id and --client-secret")
    secrets = api_secret or (client_secret,)
    return Credentials("authorization_code", client_id=client_id, client_secret=client_secret, api_secrets=secrets)


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
    with runtime.client_for(wish.admin_url, wish.credentials, wish.api_version) as client:
        try:
            return runtime.connector().connect(client, wish, session.actor(), now())
        except NotSubscribed as error:
            raise PartlyDone(f"{error} Run the same command again.") from None


def _connected_document(wish: Wish, done: Connected, lives: bool) -> dict[str, Any]:
    return {
        "shop": wish.domain,
        "run": done.run_id,
        "resumed": done.resumed,
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
    for run_id in done.resumed:
        say(f"Resumed run {run_id}, which had been paused.")
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
    with session.opened() as runtime:
        documents = told.listed(session.caller(runtime))

    def tell() -> None:
        if not documents:
            note("No shop is connected yet; run `onewriter shop connect DOMAIN`.")
            return
        columns = ("domain", "state", "name", "customers", "connected_at")
        table(
            ("DOMAIN", "STATE", "NAME", "CUSTOMERS", "CONNECTED"),
            ([one[c] for c in columns] for one in map(dict, documents)),
        )

    answer(as_json, documents, tell)


@group.command("show")
@click.argument("domain", required=False)
@as_json
def show(domain: str | None, as_json: bool) -> None:
    """Show a shop; without DOMAIN, the only one there is."""
    with session.opened() as runtime:
        with runtime.database.read() as db:
            named = session.choose_shop(db, domain, erased=True).domain
        document = told.shown(session.caller(runtime), named)
    answer(as_json, document, lambda: details(document))


@group.command("retention")
@click.argument("domain")
@click.argument("days", type=click.IntRange(DAYS_MIN, DAYS_MAX))
@yes_option
@as_json
def retention(domain: str, days: int, yes: bool, as_json: bool) -> None:
    """Set for how many days a deleted customer is kept before it is purged; 90 unless you say otherwise.

    It counts from each deletion, so with fewer days some may be due at once: they are counted before you confirm.
    """
    with session.opened() as runtime:
        caller = session.caller(runtime)
        with runtime.database.read() as db:
            named = session.choose_shop(db, domain).domain
        due = told.retention_effect(caller, named, days)["due"]
        if due:
            confirm(f"{due} deleted customers of {named} are due then, and purged for good. Go on?", yes)
        document = told.set_retention(caller, named, days)
    answer(as_json, document, lambda: say(f"Deleted customers of {named} are kept for {days} days now."))


@group.command("disconnect")
@click.argument("domain")
@yes_option
@as_json
def disconnect(domain: str, yes: bool, as_json: bool) -> None:
    """Stop working for a shop; its customers stay.

    Its webhook secrets stay too, so that Shopify's request to redact the shop is still heard. To end the deliveries,
    uninstall the app in Shopify. An authorization that its merchant has not answered yet is given up.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            shop = session.choose_shop(db, domain)
        changed = shop.state != DISCONNECTED
        moment = now()
        if changed:
            confirm(f"Stop working for {shop.domain}?", yes)
            with runtime.database.write() as db:
                shops.disconnect(db, shop.id, moment)
                shops.change(db, shop.id, NOT_AUTHORIZING)
    since = moment if changed else shop.disconnected_at
    document = {"shop": shop.domain, "changed": changed, "disconnected_at": iso(since)}
    word = "Disconnected" if changed else "Disconnected before:"
    answer(as_json, document, lambda: say(f"{word} {shop.domain}, {when(since)}. Its customers stay."))
