"""`onewriter people`: who may see what and change what here."""

from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json
from onewriter.cli.output import answer, say, table
from onewriter.customers.people import Role, full_name
from onewriter.desk import entering, people

NOBODY = "Nobody is listed, so whoever gives a command is an owner; `onewriter people set NAME owner` begins the list."


class Name(click.ParamType[str]):
    """The name of an operating-system user, as it is recorded."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name with what it begins with everywhere; it may be typed with or without."""
        try:
            return full_name(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group("people")
def group() -> None:
    """Say who may see what and change what here.

    A person is known by one name: that of the operating-system user who gives a command, and the one by which somebody
    logs in to the pages. An owner may do everything. Staff may reveal
    protected values, and do the daily work: points, merges, parked deliveries, questions, runs. A viewer sees
    everything masked, and changes nothing; so does whoever is not listed. As long as nobody is listed at all, whoever
    gives a command is an owner.

    Roles guard against mistakes and make misuse visible. Whoever can read the master key and both databases can open
    everything without asking, so keep those to one operating-system user, and let others give commands by sudo rules.
    """


@group.command("list")
@as_json
def list_people(as_json: bool) -> None:
    """List who has a role, and since when."""
    with session.opened() as runtime:
        documents = people.listed(session.caller(runtime))

    def tell() -> None:
        if not documents:
            say(NOBODY)
            return
        columns = ("name", "role", "since", "set_by")
        table(
            [column.upper().replace("_", " ") for column in columns],
            ([one[c] for c in columns] for one in map(dict, documents)),
        )

    answer(as_json, documents, tell)


@group.command("set")
@click.argument("name", type=Name())
@click.argument("role", type=click.Choice([role.value for role in Role]))
@as_json
def set_role(name: str, role: str, as_json: bool) -> None:
    """Give an operating-system user a role, in place of the one they have.

    With the first on the list, you become an owner yourself. There must always be an owner.
    """
    with session.opened() as runtime:
        document = people.set_role(session.caller(runtime), name, Role(role))
    answer(as_json, document, lambda: say(f"{name} is {role} now."))


@group.command("invite")
@click.argument("name", type=Name())
@click.argument("role", type=click.Choice([role.value for role in Role]))
@as_json
def invite(name: str, role: str, as_json: bool) -> None:
    """Make a link by which somebody chooses a password for the pages, and gets that role.

    It can be used once, within 24 hours; hand it over in private. For somebody who has a password already it makes way
    for a new one.
    """
    with session.opened() as runtime:
        document = entering.invite(session.caller(runtime), name, Role(role))

    def tell() -> None:
        say(f"{name} opens this link once, within 24 hours, and chooses a password:")
        say(document["link"])

    answer(as_json, document, tell)


@group.command("log-out")
@click.argument("name", type=Name())
@as_json
def log_out(name: str, as_json: bool) -> None:
    """Log somebody out everywhere; their password stays."""
    with session.opened() as runtime:
        document = entering.log_out(session.caller(runtime), name)
    ended = document["ended"]
    answer(as_json, document, lambda: say(f"{name} is logged out: {ended} {'session' if ended == 1 else 'sessions'}."))


@group.command("remove")
@click.argument("name", type=Name())
@as_json
def remove(name: str, as_json: bool) -> None:
    """Take a role away from somebody, who is a viewer from then on, and can log in to the pages no more."""
    with session.opened() as runtime:
        document = people.remove(session.caller(runtime), name)
    answer(as_json, document, lambda: say(f"{name} has no role any more, and is a viewer."))
