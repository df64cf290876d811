"""Files of customers: what one would do before anything is written, its import by a worker, and taking it back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.connectors.csv_files import Held
from onewriter.customers import policies, runs, systems
from onewriter.customers.people import Role
from onewriter.customers.runs import Run
from onewriter.customers.shops import Shop
from onewriter.customers.systems import System
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop, worker_lives
from onewriter.desk.cycling import Queued
from onewriter.desk.imported import check_document
from onewriter.desk.runs import RunDocument, run_document
from onewriter.desk.systems import SYSTEM
from onewriter.errors import BadInput
from onewriter.intake import csv_check
from onewriter.intake.undoing import Undoing
from onewriter.records import iso
from onewriter.rules.policy_check import FILE, is_known
from onewriter.workflows import files, reaching, undoing, uploads
from onewriter.workflows.files import Given
from onewriter.workflows.uploads import KEEP, Upload

NAME = "csv"
"""The system that a file counts as, if no other is named."""
COLUMNS_MAX = 100
NAME_MAX = 64
HEADING_MAX = 200

Source = Path | Held


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody says of a file."""

    system: str = NAME
    columns: Mapping[str, str] | None = None
    """Heading: field, for those that are not known by their heading."""
    key: str | None = None
    """The column that names a row for ever, if it has one."""


class KeptFile(TypedDict):
    """A file that was sent: when, how large it is, and until when it is kept."""

    id: str
    bytes: int
    sent_at: str | None
    kept_until: str | None


class Undone(TypedDict):
    """What taking an import back would put back, and what it would leave, counted."""

    run: str
    dry_run: bool
    counts: dict[str, int]


def named(columns: Iterable[str]) -> dict[str, str]:
    """What columns mean, out of COLUMN=FIELD as somebody typed it; raises BadInput."""
    found = {}
    for each in columns:
        heading, sign, field = each.rpartition("=")
        if not sign or not heading or len(heading) > HEADING_MAX:
            raise BadInput("A column is named as COLUMN=FIELD, such as Mobile=phone.", "map")
        if not is_known(field) or field == "addresses":
            raise BadInput(f"{field!r} is no field of a column; `onewriter fields show` lists the fields.", "map")
        found[heading] = field
    if len(found) > COLUMNS_MAX:
        raise BadInput(f"At most {COLUMNS_MAX} columns are named.", "map")
    return found


# ---- Looking --------------------------------------------------------------------------------------------------------


def check(caller: Caller, shop_named: str | None, source: Source, wish: Wish) -> dict[str, Any]:
    """What importing a file would do; nothing is written. Whoever may try values learns which are right: staff."""
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, shop_named)
        policy = policies.of_shop(db, shop.id)
        there = wish.system in systems.names(db, shop.id)
        system = files.require(db, shop.id, wish.system) if there else _absent(shop, wish.system)
    rows = files.rows_of(source, policy, wish.system, wish.columns or {}, wish.key)
    reading = files.reading_of(runtime, system, policy, rows, None)
    checked = csv_check.check(runtime.database, reading, rows, caller.now)
    limit = runtime.settings.number("file_share_percent")
    head = {"shop": shop.domain, "system": wish.system, "system_there": there}
    return head | check_document(checked, rows, policy, limit)


def _absent(shop: Shop, name: str) -> System:
    """A system that is not there yet: a file can be looked at before, and owns nothing then."""
    return System(
        shop_id=shop.id, name=name, kind=FILE, state=systems.ACTIVE, box=b"", creates=False, cycle_minutes=None,
        full_hours=24, cursor_box=None, due_at=None, cycle_at=None, full_at=None, agreed_version=0, allowed={},
        retry_at=None, trouble=None, trouble_since=None, discovered=None, discovered_at=None, added_at=0, added_by="",
        changed_at=0,
    )  # fmt: skip


def file_systems(caller: Caller, shop_named: str | None) -> list[str]:
    """The systems that a file can count as."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, shop_named)
        return _file_systems(db, shop)


def _file_systems(db: Connection, shop: Shop) -> list[str]:
    return [each.name for each in systems.every(db, shop.id) if each.kind == FILE]


def listed(caller: Caller, shop_named: str | None, limit: int) -> list[RunDocument]:
    """The newest imports of files, and what was taken back of them."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, shop_named)
        names = _file_systems(db, shop)
        kinds = [kind for name in names for kind in (runs.file_of(name), runs.undo_of(name))]
        found = runs.of_kinds(db, shop.id, kinds, limit) if kinds else []
        return [run_document(each, shop.domain, caller.now) for each in found]


# ---- Files that are sent --------------------------------------------------------------------------------------------


def keep(caller: Caller, shop_named: str | None, body: bytes, wish: Wish, same: str | None = None) -> str:
    """Keep a file that was sent, sealed, for a day; its id. With `same`, what is said of that file is said anew."""
    shop = _shop(caller, shop_named)
    if not body:
        raise BadInput("The file is empty; choose the one with the customers.", "file")
    if not 0 < len(wish.system) <= NAME_MAX:
        raise BadInput(f"A system has a name of 1 to {NAME_MAX} letters.", "system")
    upload = Upload(body, wish.system, wish.columns or {}, wish.key)
    return uploads.keep(caller.runtime, shop.id, upload, caller.now, same)


def waiting(caller: Caller, shop_named: str | None) -> list[KeptFile]:
    """The files that were sent and are kept still, the newest first."""
    shop = _shop(caller, shop_named)
    return [
        {"id": each.id, "bytes": each.size, "sent_at": iso(each.sent_at), "kept_until": iso(each.sent_at + KEEP)}
        for each in uploads.every(caller.runtime, shop.id)
    ]


def kept(caller: Caller, shop_named: str | None, identity: str) -> tuple[Held, Wish]:
    """A file that was sent, and what was said of it; raises FileGone."""
    shop = _shop(caller, shop_named)
    upload = uploads.opened(caller.runtime, shop.id, identity)
    return Held(upload.body), Wish(upload.system, dict(upload.columns), upload.key)


def look(caller: Caller, shop_named: str | None, identity: str) -> dict[str, Any]:
    """What importing a file that was sent would do, as `check` tells it; raises FileGone."""
    held, wish = kept(caller, shop_named, identity)
    return check(caller, shop_named, held, wish)


def drop(caller: Caller, shop_named: str | None, identity: str) -> None:
    """Forget a file that was sent."""
    shop = _shop(caller, shop_named)
    if identity not in {each.id for each in uploads.every(caller.runtime, shop.id)}:
        raise uploads.FileGone("That file is not here any more: it is kept for a day.")
    uploads.drop(caller.runtime, shop.id, identity)


def _shop(caller: Caller, shop_named: str | None) -> Shop:
    """The shop that files are sent for, by whoever may send them."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        return choose_shop(db, shop_named)


# ---- Importing ------------------------------------------------------------------------------------------------------


def start(
    caller: Caller, shop_named: str | None, path: Path, wish: Wish, *, allow: int | None = None, why: str | None = None
) -> Queued:
    """Queue the import of a file at a path.

    With `allow` so many percent of its customers may change, which is an owner's to say, and why.
    """
    given = Given(str(path.resolve()), files.digest_of(path), wish.columns or {}, wish.key, allow)
    return _queue(caller, shop_named, wish.system, given, why)


def start_kept(
    caller: Caller, shop_named: str | None, identity: str, *, allow: int | None = None, why: str | None = None
) -> Queued:
    """Queue the import of a file that was sent, with what was said of it; else as `start`."""
    held, wish = kept(caller, shop_named, identity)
    given = Given("", files.digest_of(held), wish.columns or {}, wish.key, allow, upload=identity)
    return _queue(caller, shop_named, wish.system, given, why)


def _queue(caller: Caller, shop_named: str | None, system: str, given: Given, why: str | None) -> Queued:
    runtime, allow = caller.runtime, given.allow
    said = refuse_reason(allow, why)
    role = Role.STAFF if allow is None else Role.OWNER
    shop = ready(caller, shop_named, system, allow)
    subject = f"system {system}: import a file" + ("" if allow is None else f", {allow} % may change")
    caller.permit(role, SYSTEM, [About(subject=subject)], shop_id=shop.id, why=said)
    with runtime.database.write() as db:
        run_id = files.queue(runtime, db, shop.id, system, given, caller.who, caller.now)
        return {"run": run_id, "state": "queued", "worker_lives": worker_lives(runtime, db)}


def ready(caller: Caller, shop_named: str | None, system: str, allow: int | None) -> Shop:
    """The shop, where a file may be imported into it by whoever asks; raises what is in the way."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF if allow is None else Role.OWNER)
        shop = choose_shop(db, shop_named, connected=True)
        files.require(db, shop.id, system)
        return shop


def refuse_reason(allow: int | None, why: str | None) -> str | None:
    """The reason as it is recorded; raises BadInput for a share without one, or a reason without a share."""
    if (allow is None) != (why is None):
        raise BadInput("A share that may change and the reason for it go together.", "why")
    if allow is not None and not 0 <= allow <= 100:
        raise BadInput("Give the share that may change in percent, from 0 to 100.", "allow")
    return None if why is None else reason(why)


def would_undo(caller: Caller, run_id: str) -> Undone:
    """What taking back a cycle or an import would come to; nothing is changed, here or there."""
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        run = runs.get(db, run_id)
        undoing.require_undoable(run)
        system = systems.get(db, run.shop_id, str(run.checkpoint[files.SYSTEM]))
    with reaching.opened(runtime, system, None) as target:
        looked = Undoing(runtime.database, target, run.id, (), caller.who, dry=True)
        return {"run": run_id, "dry_run": True, "counts": dict(+looked.run(caller.now))}


def touched(caller: Caller, run_id: str) -> int:
    """How many records a cycle or an import went through."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        return runs.get(db, run_id).done


def import_of(caller: Caller, run_id: str) -> Run:
    """The import that a run was; raises NotUndone for a run of another kind."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        run = runs.get(db, run_id)
    if runs.family(run.kind) != runs.FILE:
        raise undoing.NotUndone("That run is no import of a file; `onewriter systems undo` takes a cycle back.")
    undoing.require_undoable(run)
    return run
