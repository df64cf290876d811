"""The shop that is meant, where there may be several."""

import re

from sqlalchemy import Connection

from onewriter.customers import shops, workers
from onewriter.customers.shops import AUTHORIZING, CONNECTED, ERASED, Shop
from onewriter.errors import BadInput, UnknownShop
from onewriter.runtime import Runtime

DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")


class SeveralShops(BadInput):
    """There are several shops, and none was named."""


def full_domain(given: str) -> str:
    """The myshopify.com domain that was meant; the bare name of a shop is completed."""
    name = given.strip().lower().removeprefix("https://").rstrip("/")
    domain = name if "." in name else f"{name}.myshopify.com"
    if DOMAIN.fullmatch(domain) is None:
        raise BadInput(
            "That is no myshopify.com domain; give the one that Shopify's admin shows under Domains, "
            "such as tea.myshopify.com.",
            "shop",
        )
    return domain


def choose_shop(db: Connection, named: str | None, *, connected: bool = False, erased: bool = False) -> Shop:
    """The shop that was named, or else the only one there is; one that is connected where only such will do.

    One that was erased only where `erased` says that it will do as well.
    """
    if named is not None:
        shop = shops.by_domain(db, full_domain(named))
        if shop is None:
            raise UnknownShop(
                f"There is no shop {full_domain(named)}; `onewriter shop list` shows those that there are."
            )
        return _usable(shop, connected, erased)
    known = shops.every(db)
    candidates = [shop for shop in known if shop.state == CONNECTED] or known
    if not candidates:
        raise UnknownShop("No shop is connected yet; run `onewriter shop connect DOMAIN`.")
    if len(candidates) > 1:
        names = ", ".join(shop.domain for shop in candidates)
        raise SeveralShops(f"There are several shops ({names}), so name one.", "shop")
    return _usable(candidates[0], connected, erased)


def _usable(shop: Shop, connected: bool, erased: bool) -> Shop:
    if shop.state == ERASED and not erased:
        raise UnknownShop(
            f"Everything of {shop.domain} was erased, as Shopify asked; `onewriter shop connect {shop.domain}` begins "
            "anew."
        )
    if connected and shop.state == AUTHORIZING:
        raise UnknownShop(f"{shop.domain} waits for its merchant, who must open the address that connects it.")
    if connected and shop.state != CONNECTED:
        raise UnknownShop(f"{shop.domain} is disconnected; run `onewriter shop connect {shop.domain}` first.")
    return shop


def worker_lives(runtime: Runtime, db: Connection) -> bool:
    """True when some worker will take up a queued run."""
    return workers.any_alive(db, runtime.now(), runtime.settings.number("worker_dead_s"))
