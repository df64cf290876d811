"""Who may give which command: the role of the operating-system user, asked for before anything is done or opened.

`require(db, Role.STAFF)` is for what changes something and leaves a trace of its own. `permit(runtime, Role.OWNER,
"erase", [About(customer_id=...)], shop_id=..., why=...)` is for what shows or ends protected data: when it returns, it
is in the access log and committed; and so it is when it is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import click
from sqlalchemy import Connection

from onewriter.cli.inputs import REASON_MAX
from onewriter.cli.session import actor
from onewriter.customers import access, people
from onewriter.customers.access import Act
from onewriter.customers.people import Role as Role
from onewriter.errors import Forbidden
from onewriter.runtime import Runtime, now


@dataclass(frozen=True, slots=True)
class About:
    """What a command is about: a customer by our id, or something else by an id of ours."""

    customer_id: bytes | None = None
    subject: str | None = None
    """Such as delivery 12, or request 3; never an id of Shopify's."""
    fields: Sequence[str] = ()


def require(db: Connection, role: Role) -> Role:
    """The role of whoever gives the command; raises Forbidden when it may not do what needs `role`."""
    who = actor()
    held = people.role_of(db, who)
    if not held.covers(role):
        raise _refusal(who, held, role)
    return held


def permit(
    runtime: Runtime,
    role: Role,
    action: str,
    about: Sequence[About] = (About(),),
    *,
    shop_id: int | None = None,
    why: str | None = None,
) -> Role:
    """The role of whoever gives the command, which stands in the access log, a line for each it is about.

    Nothing may be shown or destroyed before this returns. Raises Forbidden, which is logged as well.
    """
    _refuse_reason(why)
    who = actor()
    with runtime.database.read() as db:
        held = people.role_of(db, who)
    allowed = held.covers(role)
    acts = [
        Act(action, who, held.value, shop_id, one.customer_id, one.subject, one.fields, allowed, why) for one in about
    ]
    access.append(runtime.database, runtime.keys, acts, now())
    if not allowed:
        raise _refusal(who, held, role)
    return held


def _refuse_reason(why: str | None) -> None:
    """Raise UsageError for a reason that is none, or a whole story."""
    if why is not None and not 0 < len(why.strip()) <= REASON_MAX:
        raise click.UsageError(f"--why must be a reason of 1 to {REASON_MAX} letters")


def _refusal(who: str, held: Role, role: Role) -> Forbidden:
    name = who.removeprefix(people.PREFIX)
    return Forbidden(
        f"This needs the role {role}, and you are {held}; an owner can give it: `onewriter people set {name} {role}`."
    )
