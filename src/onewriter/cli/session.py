"""What every command that works with the databases opens first, and who gives the command."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError, OperationalError

from onewriter import log, settings
from onewriter.cli.inputs import full_domain
from onewriter.customers import shops, workers
from onewriter.customers.shops import AUTHORIZING, CONNECTED, ERASED, Shop
from onewriter.errors import BadSetting, DatabaseBusy, UnknownShop
from onewriter.runtime import Runtime, now

NO_WORKER = "No worker is running, so this waits until `onewriter serve` or `onewriter worker` is started."


@contextmanager
def opened() -> Iterator[Runtime]:
    """A runtime whose databases are at the newest schema."""
    with unprepared() as runtime:
        with opening():
            runtime.prepare()
        yield runtime


@contextmanager
def unprepared() -> Iterator[Runtime]:
    """A runtime as the settings name it, with nothing looked at yet."""
    found = settings.load()
    log.configure(found.text("log_level"), found.text("log_format"))
    with opening():
        runtime = Runtime(found)
    with runtime:
        yield runtime


@contextmanager
def opening() -> Iterator[None]:
    """The border where errors of opening databases and files become ours."""
    try:
        yield
    except OperationalError as error:
        # The durable jobs' own engine does not pass through `Database`.
        raise DatabaseBusy(f"The database cannot be reached ({type(error.orig).__name__}); is it running?") from None
    except ArgumentError:
        raise BadSetting(
            "A database address in the settings cannot be read; it looks like postgresql://USER@HOST/NAME."
        ) from None
    except OSError as error:
        raise BadSetting(f"{error.filename} cannot be used ({error.strerror}); set ONEWRITER_DATA_DIR.") from None


def actor() -> str:
    """The operating-system user who gives the command, as it is recorded."""
    uid = os.getuid()
    try:
        return f"user:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user:{uid}"


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
        raise click.UsageError(f"There are several shops ({names}), so name one with --shop")
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
    return workers.any_alive(db, now(), runtime.settings.number("worker_dead_s"))
