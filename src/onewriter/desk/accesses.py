"""The access log, as it is shown: who saw or changed protected data, and proof that it is whole."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NotRequired

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import access_lines, find, findings, people, shops
from onewriter.customers.access import EXPORT_LOG
from onewriter.customers.access_lines import Line, Wanted
from onewriter.customers.access_proof import prove
from onewriter.customers.people import Role
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput, UnknownCustomer
from onewriter.records import Instant, id_text, iso
from onewriter.vault.keystore import KeyStore

REASONS = "read reasons"
WORD_MAX = 100


class AccessDocument(TypedDict):
    """A line of the access log; its reason only for owners."""

    position: int
    at: str | None
    actor: str
    role: str
    action: str
    allowed: bool
    shop: str | None
    customer: str | None
    subject: str | None
    fields: list[str]
    reason: NotRequired[str | None]


class AccessPage(TypedDict):
    """A page of the access log, the newest line first."""

    items: list[AccessDocument]
    next: str | None


class ProofDocument(TypedDict):
    """Whether no line was changed, removed or added; `wrong_at` is the first position that does not fit."""

    ok: bool
    lines: int
    wrong_at: int | None
    how: str | None
    restored: list[dict[str, Any]]


# ---- Which lines ----------------------------------------------------------------------------------------------------


def wanted(
    caller: Caller,
    named: str | None,
    *,
    actor: str | None = None,
    customer: str | None = None,
    action: str | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> Wanted:
    """Which lines are asked for. A customer is named by Shopify's number, or by our id, which may be erased by now."""
    for name, given in (("actor", actor), ("action", action)):
        if given is not None and not (given.isprintable() and len(given) <= WORD_MAX):
            raise BadInput(f"Give a name of at most {WORD_MAX} letters.", name)
    who = None if actor is None else _full_name(actor)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        whose = None if customer is None else _customer_id(db, named, customer)
    return Wanted(who, whose, action, since, until)


def _full_name(actor: str) -> str:
    """A person is recorded as user:NAME; a program, as token:NAME, is named in full."""
    return actor if ":" in actor else people.PREFIX + actor


def is_own_id(text: str) -> bool:
    """True for an id of ours."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _customer_id(db: Connection, named: str | None, text: str) -> bytes:
    """Our id of the customer that is meant, which may be gone by now."""
    if is_own_id(text):
        return uuid.UUID(text).bytes
    shop = choose_shop(db, named)
    found = findings.customer_id_of(db, shop.id, find.shopify_id_meant(db, shop.id, text))
    if found is None:
        raise UnknownCustomer(
            "No customer of this shop has that id; of one that was erased, only our id is known here."
        )
    return found


# ---- Looking --------------------------------------------------------------------------------------------------------


def listed(caller: Caller, asked: Wanted, cursor: str | None, limit: int, *, with_reasons: bool = False) -> AccessPage:
    """A page of the access log, the newest line first; `with_reasons` shows them to an owner, and to nobody else."""
    keys = paging.behind(cursor, int)
    with caller.runtime.database.read() as db:
        role = caller.require(db, Role.VIEWER)
        found = access_lines.newest(db, asked, limit + 1, None if keys is None else keys[0])
        domains = _domains(db)
    kept, following = paging.page(found, limit, lambda line: (line.position,))
    shown = with_reasons and role.covers(Role.OWNER)
    return {"items": _documents(caller.runtime.keys, kept, domains, with_reasons=shown), "next": following}


def opened(caller: Caller, asked: Wanted, cursor: str | None, limit: int, why: str) -> AccessPage:
    """The same with the reasons, for an owner who says why; that is in the access log first."""
    caller.permit(Role.OWNER, REASONS, [About(subject="the access log")], why=why)
    return listed(caller, asked, cursor, limit, with_reasons=True)


def verified(caller: Caller) -> ProofDocument:
    """Prove that no line of the access log was changed, removed or added."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
    proof = prove(caller.runtime.database, caller.runtime.keys)
    return {
        "ok": proof.wrong_at is None,
        "lines": proof.lines,
        "wrong_at": proof.wrong_at,
        "how": proof.how,
        "restored": [{"position": one.position, "subject": one.subject} for one in proof.restored],
    }


def exported(caller: Caller) -> Iterator[AccessDocument]:
    """The whole log with its reasons, the oldest line first; that it was asked for is in the log before."""
    caller.permit(Role.OWNER, EXPORT_LOG)
    return _every(caller)


def _every(caller: Caller) -> Iterator[AccessDocument]:
    with caller.runtime.database.snapshot() as db:
        domains = _domains(db)
        for lines in access_lines.every(db, Wanted()):
            yield from _documents(caller.runtime.keys, lines, domains, with_reasons=True)


def _domains(db: Connection) -> dict[int, str]:
    return {shop.id: shop.domain for shop in shops.every(db)}


def _documents(
    keys: KeyStore, lines: Sequence[Line], domains: Mapping[int, str], *, with_reasons: bool
) -> list[AccessDocument]:
    documents = [_document(line, domains) for line in lines]
    if with_reasons:
        for document, reason in zip(documents, access_lines.reasons(keys, lines), strict=True):
            document["reason"] = reason
    return documents


def _document(line: Line, domains: Mapping[int, str]) -> AccessDocument:
    return {
        "position": line.position,
        "at": iso(line.at),
        "actor": line.actor,
        "role": line.role,
        "action": line.action,
        "allowed": line.allowed,
        "shop": None if line.shop_id is None else domains.get(line.shop_id),
        "customer": None if line.customer_id is None else id_text(line.customer_id),
        "subject": line.subject,
        "fields": line.fields.split(),
    }
