"""`onewriter fields`: who may write each field, and how every connected system takes part in it."""

from typing import Any, BinaryIO

import click

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.field_fit import fit
from onewriter.cli.field_keys import keys
from onewriter.cli.field_mapping import mapping_options
from onewriter.cli.field_rates import rates
from onewriter.cli.fields_told import tell_changes, tell_effect, tell_history, tell_policy, tell_problems
from onewriter.cli.frame import FINDINGS
from onewriter.cli.inputs import REASON_MAX, as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, say
from onewriter.customers import policies
from onewriter.desk import fields
from onewriter.desk.fields import Make
from onewriter.desk.policies import problem_documents, shown
from onewriter.rules.ownership import errors
from onewriter.rules.policy_check import is_known, is_ownable
from onewriter.rules.policy_toml import FILE_BYTES_MAX, BadPolicy, parse, to_toml


def _reason(context: click.Context, option: click.Parameter, given: str) -> str:
    if not 0 < len(given.strip()) <= REASON_MAX:
        raise click.UsageError(f"--why must be a reason of 1 to {REASON_MAX} letters")
    return given.strip()


why_option = click.option(
    "--why", required=True, metavar="TEXT", callback=_reason, help="The reason, recorded with your name."
)


@click.group("fields")
def group() -> None:
    """Say who may write each field, and how systems hold it."""


# ---- Show and check -------------------------------------------------------------------------------------------------


@group.command("show")
@shop_option
@click.option("--version", "number", type=click.IntRange(1), metavar="N", help="A past version, not the newest.")
@click.option("--toml", "as_toml", is_flag=True, help="Print it as the file that sets it.")
@click.option("--history", is_flag=True, help="List every version: when, by whom and why.")
@as_json
def show(domain: str | None, number: int | None, as_toml: bool, history: bool, as_json: bool) -> None:
    """Show who owns each field, and how every system takes part in it.

    The direction is in (it owns the field, and is read), out (it is told), both (it shares the field) or none (it is
    read and compared, and never written). What --toml prints, `onewriter fields set` takes.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        known = policies.history(db, shop.id)
        policy = policies.of_shop(db, shop.id) if number is None else policies.of_version(db, shop.id, number)
        if number is not None and policy.version != number:
            raise click.UsageError(f"There is no version {number} of the policy; --history lists those there are")
        found = policies.problems_of(db, shop.id, policy)

    def tell() -> None:
        if as_toml:
            say(to_toml(policy).rstrip("\n"))
        elif history:
            tell_history(known)
        else:
            tell_policy(shop, policy)
            if found:
                say()
                tell_problems(found)

    answer(as_json, shown(shop, policy, known, found), tell)


@group.command("check")
@click.argument("file", metavar="[FILE|-]", type=click.File("rb"), required=False)
@shop_option
@as_json
@click.pass_context
def check(context: click.Context, file: BinaryIO | None, domain: str | None, as_json: bool) -> None:
    """Look for what is wrong with the policy, or with one in a file.

    Changes nothing. Exits with 1 when there is an error; a warning alone is for you to weigh. What a system said of its
    own fields is believed; `onewriter systems check` asks it again.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        policy = policies.of_shop(db, shop.id) if file is None else parse(_read(file))
        found = policies.problems_of(db, shop.id, policy)
    wrong = errors(found)

    def tell() -> None:
        if found:
            tell_problems(found)
        else:
            say(f"Nothing is wrong with the policy of {shop.domain}." if file is None else "Nothing is wrong with it.")

    document = {"shop": shop.domain, "version": policy.version if file is None else None, "ok": not wrong}
    answer(as_json, document | {"problems": problem_documents(found)}, tell)
    if wrong:
        context.exit(FINDINGS)


# ---- Change ---------------------------------------------------------------------------------------------------------


@group.command("own")
@click.argument("field")
@click.argument("system", metavar="SYSTEM|manual")
@shop_option
@why_option
@yes_option
@as_json
def own(field: str, system: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Say which system owns a field: the one that may write it.

    Every other system that takes part in it is told what the owner says, and what it says itself is refused and parked;
    one that is mapped none stays so, and is named before you say yes.
    With manual in place of a system, people write the field here by hand, and no system is told of it until you map it
    out again. Shows what changes, and asks first; no customer is touched by it.

    FIELD is a field of Shopify's (email, phone, note, tags, email_consent ...), custom.NAME, or tags[PREFIX*] for the
    tags that begin so.
    """
    if not is_ownable(field):
        raise click.UsageError(_no_field(field))

    _change(fields.owning(field, system), domain, why, yes, as_json)


def _no_field(name: str) -> str:
    return f"{name!r} is no field that can have an owner; `onewriter fields show` lists the fields"


@group.command("map")
@click.argument("system")
@click.argument("field")
@mapping_options
@click.option("--remove", is_flag=True, help="Take the field off the system; what stands there stays.")
@shop_option
@why_option
@yes_option
@as_json
def map_field(
    system: str, field: str, domain: str | None, why: str, yes: bool, as_json: bool, remove: bool, **given: Any
) -> None:
    """Say how a system holds a field, or that it does not any more.

    What you leave out stays as it is mapped now. Shows what changes, and asks first; the next cycle of that system then
    shows what it would write, and asks again.
    """  # fmt: skip
    if not is_known(field):
        raise click.UsageError(f"{field!r} is no field; `onewriter fields show` lists the fields")
    if remove and any(value for value in given.values()):
        raise click.UsageError("--remove goes with no other option of the mapping")

    _change(fields.mapping(system, field, given, remove=remove), domain, why, yes, as_json)


@group.command("set")
@click.argument("file", metavar="FILE|-", type=click.File("rb"))
@shop_option
@why_option
@yes_option
@as_json
def set_policy(file: BinaryIO, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Set the whole policy from a file.

    What the file leaves out is gone, so begin from `onewriter fields show --toml`. Shows what changes, and asks first.
    A file with an error changes nothing; `onewriter fields check FILE` lists all of them.

    \b
      [identity]
      keys = ["id", "email", "phone"]
      [fields.phone]
      owner = "crm"
      [fields."tags[vip:*]"]
      owner = "crm"
      [systems.crm.phone]
      remote = "mobile"
      direction = "in"          # or out, both, none
      transform = "e164"
      max_length = 20
      empty = "keep"            # or clear
    """
    text = _read(file)
    _change(fields.from_toml(text), domain, why, yes, as_json)


def _read(file: BinaryIO) -> str:
    """The text of a file, which may begin with a byte order mark."""
    # One byte more than is allowed, so that a longer file is seen to be too long.
    try:
        return file.read(FILE_BYTES_MAX + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadPolicy("A policy must be a text file in UTF-8.") from None


def _change(make: Make, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Make another policy out of the one in force, show what that comes to, ask, and set it."""
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            shop = session.choose_shop(db, domain)
        planned = fields.plan(session.caller(runtime), shop.domain, make)
        policies.refuse(planned.problems)
        if planned.differences:
            if not as_json:
                tell_changes(planned.differences)
                tell_effect(planned.before, planned.after, planned.asking, planned.problems)
            confirm(f"Set this policy for {shop.domain}?", yes)
        done = fields.put(session.caller(runtime), planned, why)
    document = {"warnings" if name == "problems" else name: told for name, told in done.items()}
    answer(as_json, document, lambda: say(_told(done["version"], done["set"], shop.domain)))


def _told(version: int, fresh: bool, shop: str) -> str:
    if fresh:
        return f"Set as version {version} of the policy of {shop}."
    return f"That is what version {version} of the policy of {shop} says already; nothing was set."


for _command in (fit, keys, rates):
    group.add_command(_command)
