"""Exports: everything that is held of one person, opened for an owner who hands it over to whoever asked for it."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import exporting, find, findings, requests, shops
from onewriter.customers.exporting import Held, Whom
from onewriter.customers.people import Role
from onewriter.customers.requests import Request
from onewriter.customers.shops import Shop
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput, Permanent
from onewriter.records import FIELDS, id_text, iso
from onewriter.shopify.topics import DATA_REQUEST_TOPIC

EXPORT = "export"
NOTHING, EXPORTED = "nothing is held: there was nothing to export", "exported"
_BEGINNING = re.compile(r"(^|[;\t\r\n])([ \ufeff\u00a0]*)(?=[=+\-@＝＋－＠])")
"""Where a spreadsheet sees the beginning of a formula and would carry it out, wherever it parts its columns."""


class NothingHeld(Permanent):
    """There is nothing to export."""


class ExportDocument(TypedDict):
    """Everything that is held of one person: each table with its rows, and why and until when each is kept."""

    shop: str
    made_at: str | None
    request: int | None
    customers: list[str]
    tables: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sought:
    """Whom an export is about, and the request that it answers."""

    shop: Shop
    whom: Whom | None
    """None where the customer of the request is not here any more, or nothing leads to them."""
    request: Request | None

    @property
    def subject(self) -> str | None:
        """The request, as the access log names it."""
        return None if self.request is None else f"request {self.request.id}"


# ---- Whom it is about -----------------------------------------------------------------------------------------------


def sought(caller: Caller, named: str | None, whose: str | None, request_id: int | None) -> Sought:
    """Whom an export is about: the customer that is named, or that a request names. Raises NothingHeld for nobody."""
    if whose is None and request_id is None:
        raise BadInput("Name a customer by Shopify's number or our id, or a request.", "customer")
    with caller.runtime.database.read() as db:
        request = None if request_id is None else _open_request(db, request_id)
        shop = choose_shop(db, named) if request is None else shops.by_id(db, request.shop_id)
        who = _whom(caller, db, shop, whose, request)
        held = who is not None and exporting.is_held(db, caller.runtime.vault(shop.id), who)
    if not held and request is None:
        raise NothingHeld(f"Nothing is held of that customer of {shop.domain}.")
    return Sought(shop, who if held else None, request)


def _open_request(db: Connection, request_id: int) -> Request:
    request = requests.get(db, request_id)
    if request.topic != DATA_REQUEST_TOPIC:
        raise requests.UnknownRequest(
            f"Request {request_id} does not ask for data but for {request.topic}; see `onewriter privacy requests`."
        )
    if request.over:
        raise requests.UnknownRequest(f"Request {request_id} has ended already: {request.outcome}.")
    return request


def _whom(caller: Caller, db: Connection, shop: Shop, whose: str | None, request: Request | None) -> Whom | None:
    """Who is meant; None for a request whose customer is not here any more."""
    vault = caller.runtime.vault(shop.id)
    if whose is not None:
        who = exporting.whom(db, vault, find.shopify_id_meant(db, shop.id, whose))
        if request is not None and request.subject_hash is not None and request.subject_hash not in who.hashes:
            raise requests.UnknownRequest(f"Request {request.id} asks for another customer's data; leave ID out.")
        return who
    assert request is not None
    if request.customer_id is None:
        if request.subject_hash is not None:
            return None
        raise NothingHeld(
            f"Request {request.id} does not say clearly who is meant; name the customer: "
            f"`onewriter privacy export ID DIR --request {request.id}`."
        )
    number = findings.shopify_id_of(db, shop.id, request.customer_id)
    return None if number is None else exporting.whom(db, vault, number)


# ---- Opening it -----------------------------------------------------------------------------------------------------


def permit(caller: Caller, wanted: Sought, why: str | None) -> None:
    """Let it be opened once this returns: it is in the access log by then, for each customer that it is about."""
    said = None if why is None else reason(why)
    if said is None and wanted.request is None:
        raise BadInput("An export that answers no request needs a reason.", "why")
    about = [About(None, wanted.subject)]
    if wanted.whom is not None:
        about = [About(each, wanted.subject, FIELDS) for each in wanted.whom.ids] or about
        said = said or wanted.subject
    caller.permit(Role.OWNER, EXPORT, about, shop_id=wanted.shop.id, why=said)


def opened(caller: Caller, wanted: Sought) -> ExportDocument:
    """Everything that is held, in clear; `permit` comes first."""
    assert wanted.whom is not None
    runtime = caller.runtime
    with runtime.database.snapshot() as db:
        keep_days = runtime.settings.number("inbox_keep_days")
        found = exporting.everything(db, runtime.vault(wanted.shop.id), wanted.whom, keep_days)
    return {
        "shop": wanted.shop.domain,
        "made_at": iso(caller.now),
        "request": None if wanted.request is None else wanted.request.id,
        "customers": [id_text(each) for each in wanted.whom.ids],
        "tables": tables_of(found),
    }


def tables_of(found: Sequence[Held]) -> dict[str, Any]:
    """The tables of an export, by their names."""
    return {each.table: {"why": each.why, "rows": list(each.rows)} for each in found}


def end(caller: Caller, wanted: Sought) -> None:
    """Say of the request, if there is one, that it is answered: once what it asks for is in safe hands."""
    if wanted.request is not None:
        outcome = NOTHING if wanted.whom is None else EXPORTED
        with caller.runtime.database.write() as db:
            requests.end(db, wanted.request.id, outcome, caller.who, caller.now)


# ---- As files -------------------------------------------------------------------------------------------------------


def files(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The files of an export, by name: all of it as JSON, and each table that has rows as CSV."""
    yield "customer.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    for name, each in document["tables"].items():
        if each["rows"]:
            yield f"{name}.csv", _csv(each["rows"])


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    # Quoted throughout: a spreadsheet may part its columns elsewhere than at commas.
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    """A cell of a CSV file: what a spreadsheet would carry out in a text begins with an apostrophe."""
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = f"'{text}" if text.startswith(("\t", "\r", "\n")) else text
    return _BEGINNING.sub(r"\1'\2", text)
