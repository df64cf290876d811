"""What every command that works with the databases opens first, and who gives the command."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError, OperationalError

from onewriter import log, settings
from onewriter.customers.shops import Shop
from onewriter.desk import choosing
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import SeveralShops
from onewriter.errors import BadSetting, DatabaseBusy
from onewriter.runtime import Runtime

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


def caller(runtime: Runtime) -> Caller:
    """Whoever gives the command."""
    return Caller(runtime, actor())


def choose_shop(db: Connection, named: str | None, *, connected: bool = False, erased: bool = False) -> Shop:
    """The shop that was named with --shop, or else the only one there is; as `choosing.choose_shop` says."""
    try:
        return choosing.choose_shop(db, named, connected=connected, erased=erased)
    except SeveralShops as error:
        raise click.UsageError(f"{str(error).rstrip('.')} with --shop") from None


def shop_named(runtime: Runtime, named: str | None, *, connected: bool = False) -> str:
    """The domain of the shop that was named with --shop, or else of the only one there is; for the desk."""
    with runtime.database.read() as db:
        return choose_shop(db, named, connected=connected).domain


def worker_lives(runtime: Runtime, db: Connection) -> bool:
    """True when some worker will take up a queued run."""
    return choosing.worker_lives(runtime, db)
