"""Who may give which command: the role of the operating-system user, asked for before anything is done or opened.

What holds of whoever asks, by any face, is in `onewriter.desk.caller`; here it is asked of the operating-system user.
"""

from collections.abc import Sequence

import click
from sqlalchemy import Connection

from onewriter.cli.session import actor
from onewriter.desk.caller import REASON_MAX, Caller, require_of
from onewriter.desk.caller import About as About
from onewriter.desk.caller import Role as Role
from onewriter.runtime import Runtime


def require(db: Connection, role: Role) -> Role:
    """The role of whoever gives the command; raises Forbidden when it may not do what needs `role`."""
    return require_of(db, actor(), role)


def permit(
    runtime: Runtime,
    role: Role,
    action: str,
    about: Sequence[About] = (About(),),
    *,
    shop_id: int | None = None,
    why: str | None = None,
) -> Role:
    """The role of whoever gives the command, which stands in the access log; as `Caller.permit` says."""
    check_why(why)
    return Caller(runtime, actor()).permit(role, action, about, shop_id=shop_id, why=why)


def check_why(why: str | None) -> None:
    """Refuse a reason that is empty or a whole story, by the name of the option that it was given with."""
    if why is not None and not 0 < len(why.strip()) <= REASON_MAX:
        raise click.UsageError(f"--why must be a reason of 1 to {REASON_MAX} letters")
