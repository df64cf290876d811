"""`onewriter keys`: the master keys, which open the key store: make one, list them, and wrap every key with it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import key_copies, session
from onewriter.cli.access import Role, permit
from onewriter.cli.frame import DONE
from onewriter.cli.inputs import as_json
from onewriter.cli.output import answer, note, say, table
from onewriter.cli.watch import watch_run
from onewriter.customers import shops
from onewriter.customers.runs import AlreadyRunning
from onewriter.customers.shops import AUTHORIZING, ERASED, Shop
from onewriter.desk.settings import master_key
from onewriter.errors import BadSetting, MasterKeyWrong, Permanent
from onewriter.records import Instant, iso
from onewriter.runtime import Runtime, now
from onewriter.vault import master, rewrap
from onewriter.vault.standing import MISSING, Standing, standings
from onewriter.workflows import indexing, rotating

CREATE, ROTATE = "create master key", "rotate keys"

Queue = Callable[[Runtime, Connection, int, str, Instant], str]
"""Queues a run for a shop, for somebody, and returns its id; raises AlreadyRunning."""


class FileInTheWay(Permanent):
    """A key is never written over another."""


@click.group("keys")
def group() -> None:
    """Make, list and replace the master keys, and copy the key store."""


@group.command("create")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write it alone to a new file, and put it into the settings yourself.",
)  # fmt: skip
@as_json
def create(out: Path | None, as_json: bool) -> None:
    """Make a new master key, and put it first in the master key file.

    New keys are wrapped with it from then on, also by services that are running. The older ones stay below it in the
    file, so that everything still opens; `onewriter keys rotate` wraps what they wrap anew. Where the settings take the
    master keys from the environment or from a command, --out writes the new key to a file for you to put there. A key
    is never printed.
    """
    with session.opened() as runtime:
        permit(runtime, Role.OWNER, CREATE)
        if out is not None:
            document = {"file": str(out), "master": _write_alone(out), "current": False}
        else:
            path = _key_file(runtime)
            with runtime.key_database.exclusive("master-keys"):
                master.put_new_first(path)
            runtime.keys.masters.read_again(at_once=True)
            runtime.keys.prove(now())
            document = {"file": str(path), "master": runtime.keys.current.id, "current": True}

    def tell() -> None:
        if out is None:
            say(f"Master key {document['master']} is the first in {path} now. Copy that file to a safe place, then run")
            say("`onewriter keys rotate`.")
        else:
            say(f"Master key {document['master']} is in {out}. Put it first where your master keys are, leave the")
            say("older ones below it, start every process again, and then run `onewriter keys rotate`.")

    answer(as_json, document, tell)


def _key_file(runtime: Runtime) -> Path:
    """The file that the master keys are in; raises BadSetting where they come from somewhere else."""
    for name in ("master_key", "master_key_command"):
        if runtime.settings.text(name):
            raise BadSetting(
                f"The master keys come from ONEWRITER_{name.upper()}, where this command can put none: add --out FILE, "
                "and put the key of that file first there."
            )
    return runtime.settings.master_key_file


def _write_alone(out: Path) -> str:
    try:
        master.write_new_file(out)
    except FileExistsError:
        raise FileInTheWay(f"{out} is there already; name a file that is not.") from None
    except OSError as error:
        raise FileInTheWay(f"{out} cannot be written ({error.strerror}).") from None
    return master.parse_keys(master.read_file(out))[0].id


@group.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """List the master keys by their fingerprints, and how many keys each of them wraps.

    A key is current (it wraps new ones), here (in the settings too), missing (it wraps keys, and is not in the
    settings: put it back) or gone (it was retired and taken out). One that is retired wraps nothing any more and may be
    taken out of the settings; keep it as long as you keep a backup that was made while it was current.
    """
    with session.opened() as runtime, runtime.key_database.read() as db:
        found = standings(db, runtime.keys)

    def tell() -> None:
        names = ("MASTER KEY", "STATE", "MADE", "RETIRED", *(name.upper() for name in rewrap.NAMES), "")
        table(names, map(_row, found))

    answer(as_json, [master_key(one) for one in found], tell)


def _row(one: Standing) -> list[Any]:
    numbers = [one.counts[name] for name in rewrap.NAMES]
    return [one.id, one.state, iso(one.made_at), iso(one.retired_at), *numbers, _advice(one)]


def _advice(one: Standing) -> str:
    """What a person can do about a master key."""
    if one.state == MISSING:
        return "put it back into the settings"
    if one.may_go:
        return "may be taken out of the settings once no backup that was made with it is kept"
    return "`onewriter keys rotate` lays it aside" if one.may_retire else ""


@group.command("rotate")
@click.option("--shop", "domain", metavar="DOMAIN", help="Only the keys of that shop.")
@click.option("--index", is_flag=True, help="Replace the key that customers are searched by, in place of wrapping.")
@click.option("--wait", is_flag=True, help="Watch the runs until they are over, and exit as they ended.")
@as_json
def rotate(domain: str | None, index: bool, wait: bool, as_json: bool) -> int:
    """Queue wrapping every key with the current master key; a worker carries it out, one run a shop.

    Services work on meanwhile. Killed anywhere, it goes on from where it was; asked for twice, it does nothing twice.
    Once no key is left under an older master key, that one is retired and `onewriter keys list` says so. With --index
    each shop gets a new key for its search index, every customer's tokens are made anew, and the old key is destroyed.
    """
    with session.opened() as runtime:
        permit(runtime, Role.OWNER, ROTATE)
        with runtime.database.read() as db:
            chosen = [session.choose_shop(db, domain)] if domain else shops.every(db)
        moment = now()
        document = _replace_index(runtime, chosen, moment) if index else _wrap(runtime, chosen, domain, moment)
        with runtime.database.read() as db:
            document["worker_lives"] = session.worker_lives(runtime, db)
        queued = [one["run"] for one in document["runs"]]
        if not (wait and queued):
            answer(as_json, document, lambda: _tell(document))
            return DONE
        if not as_json:
            _tell(document)
        return max(watch_run(runtime, run_id, as_json=as_json, wait=True) for run_id in queued)


def _tell(document: dict[str, Any]) -> None:
    for one in document["runs"]:
        say(f"Queued run {one['run']} of {one['shop']}; `onewriter runs watch {one['run']}` shows it.")
    for domain in document["under_way"]:
        say(f"A run of that kind is under way in {domain} already; ask again when it is over.")
    if not document["runs"] and not document["under_way"]:
        say("There is nothing to do." if "master" not in document else f"Master key {document['master']} wraps all.")
    for master_id in document.get("retired", ()):
        say(f"Master key {master_id} is retired: no key needs it, and it may be taken out of the settings.")
    if document["runs"] and not document["worker_lives"]:
        note(session.NO_WORKER)


def _wrap(runtime: Runtime, chosen: list[Shop], domain: str | None, moment: Instant) -> dict[str, Any]:
    """Queue a run for each shop that has something to wrap; what belongs to no shop is wrapped here and now."""
    keys = runtime.keys
    to = keys.current
    with runtime.key_database.read() as db:
        _refuse_missing(standings(db, keys))
        left = rewrap.left(db, to)
    rewrap.wrap_logs(keys, to)
    document = _queued(runtime, [shop for shop in chosen if left[shop.id]], rotating.queue, moment)
    if domain is None:
        for shop_id in left.keys() - {shop.id for shop in chosen}:
            rewrap.wrap_all(keys, to, shop_id)
    over = not document["runs"] and not document["under_way"]
    return document | {"master": to.id, "retired": rewrap.retire_older(keys, to, moment) if over else []}


def _refuse_missing(found: Iterable[Standing]) -> None:
    """Keys that nobody can open now would be left behind, so nothing is begun."""
    for one in found:
        if one.state == MISSING:
            raise MasterKeyWrong(
                f"{one.wraps} keys are wrapped with the master key {one.id}, which is not in the settings; put it back "
                "below the first one, and then rotate. Nothing changed."
            )


def _replace_index(runtime: Runtime, chosen: list[Shop], moment: Instant) -> dict[str, Any]:
    indexed = [shop for shop in chosen if shop.state not in (AUTHORIZING, ERASED)]
    return _queued(runtime, indexed, indexing.queue, moment)


def _queued(runtime: Runtime, chosen: Iterable[Shop], queue: Queue, moment: Instant) -> dict[str, Any]:
    """Queue a run for each of these shops; those where one is under way are told apart."""
    runs, under_way = [], []
    for shop in chosen:
        try:
            with runtime.database.write() as db:
                run_id = queue(runtime, db, shop.id, session.actor(), moment)
        except AlreadyRunning:
            under_way.append(shop.domain)
        else:
            runs.append({"run": run_id, "shop": shop.domain})
    return {"runs": runs, "under_way": under_way}


group.add_command(key_copies.copy)
group.add_command(key_copies.restore_copy)
