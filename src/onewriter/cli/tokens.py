"""`onewriter tokens`: programs that may ask the API."""

import click

from onewriter.cli import session
from onewriter.cli.access import Role
from onewriter.cli.inputs import as_json
from onewriter.cli.output import answer, note, say, table
from onewriter.customers.tokens import DAYS_MAX
from onewriter.desk import entering

DAYS = 365


@click.group("tokens")
def group() -> None:
    """Let programs ask the API.

    A token has a role of its own, as people have, and what a program does is recorded with the token's name.
    """


@group.command("create")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
    help="What it may do.",
)
@click.option(
    "--days", type=click.IntRange(1, DAYS_MAX), default=DAYS, show_default=True, help="How long it lets somebody in."
)
@as_json
def create(name: str, role: str, days: int, as_json: bool) -> None:
    """Make a token, and print its secret, which is shown this once."""
    with session.opened() as runtime:
        document = entering.make_token(session.caller(runtime), name, Role(role), days)
    answer(as_json, document, lambda: say(document["secret"]))
    if not as_json:
        note(f"Keep it in a safe place: nobody can show it again. `onewriter tokens revoke {name}` ends it.")


@group.command("list")
@as_json
def list_tokens(as_json: bool) -> None:
    """List every token that was made, without its secret."""
    with session.opened() as runtime:
        documents = entering.listed_tokens(session.caller(runtime))

    def tell() -> None:
        if not documents:
            say("There is no token; `onewriter tokens create NAME` makes one.")
            return
        rows = (
            (each["name"], each["role"], each["lives"], each["made_at"], each["ends_at"], each["used_at"])
            for each in documents
        )
        table(("NAME", "ROLE", "LIVES", "MADE", "ENDS", "LAST USED"), rows)

    answer(as_json, documents, tell)


@group.command("revoke")
@click.argument("name")
@as_json
def revoke(name: str, as_json: bool) -> None:
    """Let nobody in by a token any more, from now on."""
    with session.opened() as runtime:
        document = entering.revoke_token(session.caller(runtime), name)
    answer(as_json, document, lambda: say(f"The token {document['name']} lets nobody in any more."))
