"""`onewriter systems kinds`, `add` and `set`: what can be connected, and how one system is."""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.inputs import Secret, as_json, shop_option
from onewriter.cli.output import answer, say, table
from onewriter.cli.systems_told import tell_fields
from onewriter.connectors import configuring
from onewriter.connectors import kinds as known_kinds
from onewriter.connectors.interface import Discovery
from onewriter.customers import systems
from onewriter.customers.systems import System
from onewriter.errors import Permanent, SystemRefused
from onewriter.records import SHOPIFY
from onewriter.rules.policy import MANUAL, ONEWRITER
from onewriter.runtime import Runtime, now
from onewriter.workflows import discovering

NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
TAKEN = frozenset({SHOPIFY, MANUAL, ONEWRITER, "user"})
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
FILE_BYTES_MAX = 262_144
SPAN = re.compile(r"(\d{1,5})(m|h|d)")
MINUTES = {"m": 1, "h": 60, "d": 1440}
FIELDS_SHOWN = 40


class SystemThere(Permanent):
    """A system of that name is connected already."""


class Span(click.ParamType[int]):
    """A span of time, such as 15m, 2h or 1d, in minutes."""

    name = "span"

    def __init__(self, most: int) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The minutes of it."""
        if isinstance(value, int):
            return value
        found = SPAN.fullmatch(str(value).strip().lower())
        minutes = int(found[1]) * MINUTES[found[2]] if found else 0
        if not 0 < minutes <= self.most:
            self.fail("give a span such as 15m, 2h or 1d", param, ctx)
        return minutes


def _schedule_options(command: Any) -> Any:
    for option in (
        click.option("--every", type=Span(60 * 24 * 30), metavar="SPAN", help="How often it is read: 15m, 2h, 1d."),
        click.option("--by-hand", is_flag=True, help="Only when somebody asks for it."),
        click.option("--full-every", type=Span(60 * 24 * 365), metavar="SPAN", help="How often all of it is read."),
        click.option(
            "--create/--no-create", "creates", default=None, help="Whether customers it lacks are made there."
        ),
    ):
        command = option(command)
    return command


def _configuration_options(command: Any) -> Any:
    for option in (
        click.option("--config", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="A file of settings, in TOML or JSON."),
        click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting; NAME=@FILE reads one."),
        click.option("--secret", "secrets", multiple=True, metavar="NAME=VARIABLE|@FILE|-",
                     help="A secret setting, from an environment variable, from a file, or asked for."),
    ):  # fmt: skip
        command = option(command)
    return command


# ---- Commands -------------------------------------------------------------------------------------------------------


@click.command("kinds")
@click.argument("kind", required=False)
@as_json
def kinds(kind: str | None, as_json: bool) -> None:
    """List the kinds of systems that can be connected, with the settings of each, or of one."""
    names = known_kinds.names() if kind is None else [kind]
    documents: list[dict[str, Any]] = [{"kind": each, "settings": _settings_of(each)} for each in names]

    def tell() -> None:
        for number, document in enumerate(documents):
            say(f"{chr(10) if number else ''}{document['kind']}")
            columns = ("name", "needed", "secret", "what")
            rows = ([one[column] for column in columns] for one in document["settings"])
            table(("SETTING", "NEEDED", "SECRET", "WHAT"), rows)

    answer(as_json, documents, tell)


def _settings_of(kind: str) -> list[dict[str, Any]]:
    spec = known_kinds.kind_named(kind).spec()
    needed = set(spec.get("required", ()))
    return [
        {"name": name, "needed": name in needed, "secret": configuring.is_secret(spec, name),
         "what": configuring.told(schema), "default": schema.get("default")}
        for name, schema in spec.get("properties", {}).items()
    ]  # fmt: skip


@click.command("add")
@click.argument("name", metavar="SYSTEM")
@click.option("--kind", required=True, help="What sort of system it is; `onewriter systems kinds` lists them.")
@_configuration_options
@_schedule_options
@click.option("--dry-run", is_flag=True, help="Only try whether it can be reached, and show what it has.")
@shop_option
@as_json
def add(
    name: str,
    kind: str,
    config: Path | None,
    settings: tuple[str, ...],
    secrets: tuple[str, ...],
    every: int | None,
    by_hand: bool,
    full_every: int | None,
    creates: bool | None,
    dry_run: bool,
    domain: str | None,
    as_json: bool,
) -> None:
    """Connect a system: try whether it can be reached, ask it for its fields, and keep how it is reached, sealed.

    Nothing is read of its records and nothing is written to it: no field is mapped yet. A secret is never typed: it is
    named by an environment variable, read from a file with @, stands in the file of --config, or is asked for with -.

    \b
      url = "postgresql://onewriter:PASSWORD@crm.example.com/crm"
      table = "people"
      key = "id"
      updated = "changed_at"
      lookup = ["email"]
    """
    _refuse_name(name)
    _refuse_both(every, by_hand)
    spec = known_kinds.kind_named(kind).spec()
    configuration = configuration_given(spec, config, settings, secrets)
    configuring.refuse_unfit(kind, spec, configuration)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            shop = session.choose_shop(db, domain, connected=True)
            _refuse_taken(systems.names(db, shop.id), name)
        discovery = _reached(name, kind, configuration)
        if not dry_run:
            permit(runtime, Role.OWNER, "system", [About(subject=f"system {name}: add")], shop_id=shop.id)
            values = {
                "kind": kind,
                "state": systems.ACTIVE,
                "creates": _creates(creates, discovery),
                "cycle_minutes": None if by_hand else every or 15,
                "full_hours": _hours(full_every or 24 * 60),
            }
            _save_new(runtime, shop.id, name, configuration, discovery, values)
    document = {"system": name, "kind": kind, "added": not dry_run} | discovering.kept(discovery)
    answer(as_json, document, lambda: _tell_added(name, document, dry_run))


def _save_new(
    runtime: Runtime,
    shop_id: int,
    name: str,
    configuration: Mapping[str, Any],
    discovery: Discovery,
    values: Mapping[str, Any],
) -> None:
    moment = now()
    box = systems.seal_configuration(runtime.vault(shop_id), name, configuration)
    told = {"discovered": discovering.kept(discovery), "discovered_at": moment}
    since = {"added_at": moment, "added_by": session.actor(), "changed_at": moment}
    with runtime.database.write() as db:
        _refuse_taken(systems.names(db, shop_id), name)
        # Due at no time yet: nothing is mapped, and the first cycle is asked for by a person.
        systems.add(db, shop_id, name, {**values, **told, **since, "box": box, "agreed_version": 0, "allowed": {}})


@click.command("set")
@click.argument("name", metavar="SYSTEM")
@_configuration_options
@_schedule_options
@shop_option
@as_json
def change_settings(
    name: str,
    config: Path | None,
    settings: tuple[str, ...],
    secrets: tuple[str, ...],
    every: int | None,
    by_hand: bool,
    full_every: int | None,
    creates: bool | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """Change how a system is reached, or how often.

    --config replaces all settings; --set and --secret change single ones. The system is tried before anything is kept,
    and is read in full the next time where it is reached otherwise. Shopify has a schedule too: how often it is told
    what other systems own.
    """
    _refuse_both(every, by_hand)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            shop = session.choose_shop(db, domain)
            system = systems.get(db, shop.id, name)
        values = _changes(system, every, by_hand, full_every, creates)
        if config is not None or settings or secrets:
            values |= _reached_anew(runtime, system, config, settings, secrets)
        if not values:
            raise click.UsageError("Nothing was given to change; `onewriter systems set --help` lists what can be")
        changed = sorted({"box": "settings", "discovered": "fields"}.get(each, each) for each in values if each in TOLD)
        about = [About(subject=f"system {name}: set {', '.join(changed)}")]
        permit(runtime, Role.OWNER, "system", about, shop_id=shop.id)
        with runtime.database.write() as db:
            systems.change(db, shop.id, name, now(), **values)
    answer(as_json, {"system": name, "changed": changed}, lambda: say(f"Changed {', '.join(changed)} of {name}."))


TOLD = ("box", "creates", "cycle_minutes", "full_hours")


def _changes(
    system: System, every: int | None, by_hand: bool, full_every: int | None, creates: bool | None
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if every is not None or by_hand:
        values |= {"cycle_minutes": every, "due_at": None if by_hand else now()}
    if full_every is not None:
        values["full_hours"] = _hours(full_every)
    if creates is not None:
        if system.is_shopify:
            raise click.UsageError("Nobody is ever made in Shopify")
        values["creates"] = creates
    return values


def _reached_anew(
    runtime: Runtime, system: System, config: Path | None, settings: Sequence[str], secrets: Sequence[str]
) -> dict[str, Any]:
    """The columns that change where a system is reached in another way; its cursor may mean nothing there."""
    if system.is_shopify:
        raise click.UsageError("`onewriter shop connect` says how Shopify is reached")
    vault = runtime.vault(system.shop_id)
    before = {} if config is not None else systems.open_configuration(vault, system)
    spec = known_kinds.kind_named(system.kind).spec()
    configuration = before | configuration_given(spec, config, settings, secrets)
    discovery = _reached(system.name, system.kind, configuration)
    return {
        "box": systems.seal_configuration(vault, system.name, configuration),
        "cursor_box": None,
        "full_at": None,
        "retry_at": None,
        "discovered": discovering.kept(discovery),
        "discovered_at": now(),
    }


# ---- What was given -------------------------------------------------------------------------------------------------


def configuration_given(
    spec: Mapping[str, Any], config: Path | None, settings: Sequence[str], secrets: Sequence[str]
) -> dict[str, Any]:
    """The configuration that a person gave, by a file and by single settings."""
    configuration = {} if config is None else _read_file(config)
    known = spec.get("properties", {})
    for each in settings:
        name, value = _pair(each, "--set")
        head, _, part = name.partition(".")
        if configuring.is_secret(spec, head):
            # What was typed is not told again: it may be the secret itself.
            raise click.UsageError(
                f"{head} may hold a secret, and `ps` shows what is typed; give --secret {head}=VARIABLE, or "
                f"--secret {head}=@FILE"
            )
        text = _text_of(Path(value[1:])) if value.startswith("@") else value
        if part:
            configuration[head] = dict(configuration.get(head) or {}) | {part: text}
        else:
            configuration[head] = configuring.typed(known.get(head, {}), text)
    for each in secrets:
        name, value = _pair(each, "--secret")
        configuration[name] = _secret(name, value)
    return configuration


def _pair(given: str, option: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not name or not equals or not value:
        raise click.UsageError(f"{option} is given as NAME=VALUE")
    return name, value


def _secret(name: str, place: str) -> str:
    if place == "-" or place.startswith("@"):
        return str(Secret().convert(place, None, None))
    value = os.environ.get(place) if VARIABLE.fullmatch(place) else None
    if not value:
        raise click.UsageError(
            f"--secret {name} names no environment variable that is set; give {name}=VARIABLE, {name}=@FILE or {name}=-"
        )
    return value.strip()


def _read_file(path: Path) -> dict[str, Any]:
    text = _text_of(path)
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError):
        # The parser's own words may hold a value.
        raise click.UsageError(f"{path.name} is neither TOML nor JSON") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{path.name} must hold settings by name")
    return found


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise click.UsageError(f"{path.name} is larger than {FILE_BYTES_MAX:,} bytes")
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path.name} cannot be read ({type(error).__name__})") from None


def _refuse_name(name: str) -> None:
    if not NAME.fullmatch(name) or name in TAKEN:
        raise click.UsageError(
            "A system's name is of small letters, digits, - and _, begins with a letter, and is none of "
            f"{', '.join(sorted(TAKEN))}"
        )


def _refuse_taken(names: Sequence[str], name: str) -> None:
    if name in names:
        raise SystemThere(f"{name} is connected already; `onewriter systems set {name}` changes how.")


def _refuse_both(every: int | None, by_hand: bool) -> None:
    if every is not None and by_hand:
        raise click.UsageError("Give --every or --by-hand, not both")


def _hours(minutes: int) -> int:
    return max(1, round(minutes / 60))


def _creates(asked: bool | None, discovery: Discovery) -> bool:
    return discovery.capabilities.creates if asked is None else asked and discovery.capabilities.creates


def _reached(name: str, kind: str, configuration: Mapping[str, Any]) -> Discovery:
    problems, discovery = discovering.try_out(kind, configuration)
    if discovery is None:
        raise SystemRefused(f"{name} cannot be used so: {' '.join(each.message for each in problems)}")
    return discovery


def _tell_added(name: str, document: Mapping[str, Any], dry_run: bool) -> None:
    fields = document["fields"]
    say(f"{'Reached' if dry_run else 'Connected'} {name}: it has {len(fields)} fields.")
    say()
    tell_fields(fields, FIELDS_SHOWN)
    say()
    if dry_run:
        say("Nothing was kept; leave --dry-run out to connect it.")
        return
    say("Next, say which field is which, and who owns it:")
    mail = next((each["name"] for each in fields if "mail" in each["name"].lower()), "NAME")
    say(f"  onewriter fields map {name} email --remote {mail} --why WHY")
    say(f"  onewriter systems check {name}")
    say(f"  onewriter systems cycle {name} --dry-run --wait")
