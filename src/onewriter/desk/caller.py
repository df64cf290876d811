"""Whoever asks: who they are, and what they may do. Asked before anything is done or opened.

`require(db, Role.STAFF)` is for what changes something and leaves a trace of its own. `permit(Role.OWNER, "erase",
[About(customer_id=...)], shop_id=..., why=...)` is for what shows or ends protected data: when it returns, it is in the
access log and committed; and so it is when it is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from onewriter.customers import access, people
from onewriter.customers.access import REVEAL, Act
from onewriter.customers.people import Role as Role
from onewriter.customers.shops import Shop
from onewriter.errors import BadInput, Forbidden
from onewriter.records import Instant, id_text
from onewriter.runtime import Runtime

REASON_MAX = 500
"""Letters of a reason."""


@dataclass(frozen=True, slots=True)
class About:
    """What an act is about: a customer by our id, or something else by an id of ours."""

    customer_id: bytes | None = None
    subject: str | None = None
    """Such as delivery 12, or request 3; never an id of Shopify's."""
    fields: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks for something."""

    runtime: Runtime
    who: str
    """As it is recorded everywhere: user:NAME, or token:NAME."""

    @property
    def now(self) -> Instant:
        """The moment in which it is asked."""
        return self.runtime.now()

    def role(self, db: Connection) -> Role:
        """The role that they have."""
        return people.role_of(db, self.who)

    def require(self, db: Connection, role: Role) -> Role:
        """The role that they have; raises Forbidden when it may not do what needs `role`."""
        return require_of(db, self.who, role)

    def permit(
        self,
        role: Role,
        action: str,
        about: Sequence[About] = (About(),),
        *,
        shop_id: int | None = None,
        why: str | None = None,
    ) -> Role:
        """The role that they have, which stands in the access log, a line for each that the act is about.

        Nothing may be shown or destroyed before this returns. Raises Forbidden, which is logged as well.
        """
        if why is not None:
            reason(why)
        with self.runtime.database.read() as db:
            held = self.role(db)
        allowed = held.covers(role)
        acts = [
            Act(action, self.who, held.value, shop_id, one.customer_id, one.subject, one.fields, allowed, why)
            for one in about
        ]
        access.append(self.runtime.database, self.runtime.keys, acts, self.now)
        if not allowed:
            raise _refusal(self.who, held, role)
        return held

    def permit_reveal(self, shop: Shop, about: Sequence[About], why: str) -> None:
        """Let values be opened once this returns: all of it is written down, in one transaction. Refused, it is too.

        The reason is in the access log alone, sealed: a line of an ordinary log outlives the customer that it may name.
        """
        self.permit(Role.STAFF, REVEAL, about, shop_id=shop.id, why=why)
        log = structlog.get_logger(__name__)
        for one in about:
            whose = {} if one.customer_id is None else {"customer": id_text(one.customer_id)}
            what = {} if one.subject is None else {"subject": one.subject}
            # A warning, so that it is in the log whatever usual level the log is set to.
            log.warning("values revealed", actor=self.who, shop=shop.domain, fields=list(one.fields), **whose, **what)


def require_of(db: Connection, who: str, role: Role) -> Role:
    """The role of that person or token; raises Forbidden when it may not do what needs `role`."""
    held = people.role_of(db, who)
    if not held.covers(role):
        raise _refusal(who, held, role)
    return held


def _refusal(who: str, held: Role, role: Role) -> Forbidden:
    name = who.removeprefix(people.PREFIX)
    return Forbidden(
        f"This needs the role {role}, and you are {held}; an owner can give it: `onewriter people set {name} {role}`."
    )


def reason(given: str | None) -> str:
    """A reason without space around it; raises BadInput for none, and for a whole story."""
    if given is None or not 0 < len(given.strip()) <= REASON_MAX:
        raise BadInput(f"Give a reason of 1 to {REASON_MAX} letters.", "why")
    return given.strip()
