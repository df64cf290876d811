"""Letting people and programs in: invitations, sessions and tokens. An owner's task; the access log names each."""

from typing_extensions import TypedDict

from onewriter.customers import invitations, logins, sessions, token_names, tokens
from onewriter.customers.access import PEOPLE
from onewriter.customers.people import Role
from onewriter.customers.tokens import DAYS_MAX, Token
from onewriter.desk.caller import About, Caller
from onewriter.desk.people import full_name
from onewriter.errors import BadInput
from onewriter.records import iso

WELCOME = "/welcome?link="
TOKENS = "tokens"


class Invited(TypedDict):
    """An invitation, with the link that is shown this once."""

    name: str
    role: str
    link: str


class LoggedOut(TypedDict):
    """Somebody who was logged out everywhere."""

    name: str
    ended: int


class TokenDocument(TypedDict):
    """An API token, without its secret."""

    name: str
    role: str
    made_by: str
    made_at: str | None
    ends_at: str | None
    used_at: str | None
    revoked_at: str | None
    lives: bool


class MadeToken(TypedDict):
    """A new API token, with the secret that is shown this once."""

    name: str
    role: str
    secret: str


# ---- People ---------------------------------------------------------------------------------------------------------


def welcome(caller: Caller, url: str) -> str | None:
    """A link for the first person, who becomes an owner; None once somebody can log in.

    Raises Forbidden where whoever starts the service is no owner: they would make themselves one by it.
    """
    runtime = caller.runtime
    with runtime.database.read() as db:
        if logins.anybody(db):
            return None
        caller.require(db, Role.OWNER)
    caller.permit(Role.OWNER, PEOPLE, [About(subject=f"invite the first person as {Role.OWNER}")])
    with runtime.database.write() as db:
        link = invitations.make(db, None, Role.OWNER, caller.who, caller.now)
    return _base(caller, url) + WELCOME + link


def invite(caller: Caller, name: str, role: Role, url: str | None = None) -> Invited:
    """Make a link by which somebody chooses a password and gets a role, once, within 24 hours."""
    who = full_name(name)
    caller.permit(Role.OWNER, PEOPLE, [About(subject=f"invite {who} as {role}")])
    settings = caller.runtime.settings
    here = url or f"http://{settings.text('host')}:{settings.number('port')}"
    with caller.runtime.database.write() as db:
        link = invitations.make(db, who, role, caller.who, caller.now)
    return {"name": who, "role": role.value, "link": _base(caller, here) + WELCOME + link}


def _base(caller: Caller, url: str) -> str:
    return (caller.runtime.settings.text("web_url") or url).rstrip("/")


def log_out(caller: Caller, name: str) -> LoggedOut:
    """End every session of somebody."""
    who = full_name(name)
    caller.permit(Role.OWNER, PEOPLE, [About(subject=f"log out {who}")])
    with caller.runtime.database.write() as db:
        return {"name": who, "ended": sessions.end_every(db, who)}


# ---- Programs -------------------------------------------------------------------------------------------------------


def listed_tokens(caller: Caller) -> list[TokenDocument]:
    """Every token that was made, without its secret."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        return [_document(each, caller) for each in tokens.every(db)]


def make_token(caller: Caller, name: str, role: Role, days: int | None) -> MadeToken:
    """Make a token; its secret is shown this once. It never has a higher role than whoever makes it."""
    if days is not None and not 1 <= days <= DAYS_MAX:
        raise BadInput(f"A token lasts 1 to {DAYS_MAX:,} days.", "days")
    who = token_names.full_name(name)
    caller.permit(Role.OWNER, TOKENS, [About(subject=f"create {who} as {role}")])
    with caller.runtime.database.write() as db:
        secret = tokens.make(db, name, role, caller.who, caller.now, days)
    return {"name": who.removeprefix(token_names.PREFIX), "role": role.value, "secret": secret}


def revoke_token(caller: Caller, name: str) -> TokenDocument:
    """Let nobody in by that token any more."""
    who = token_names.full_name(name)
    caller.permit(Role.OWNER, TOKENS, [About(subject=f"revoke {who}")])
    with caller.runtime.database.write() as db:
        return _document(tokens.revoke(db, who, caller.now), caller)


def _document(token: Token, caller: Caller) -> TokenDocument:
    return {
        "name": token.name,
        "role": token.role.value,
        "made_by": token.made_by,
        "made_at": iso(token.made_at),
        "ends_at": iso(token.ends_at),
        "used_at": iso(token.used_at),
        "revoked_at": iso(token.revoked_at),
        "lives": token.lives(caller.now),
    }
