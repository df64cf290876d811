"""Privacy for programs: requests in law, handing out and erasing, retention, receipts, and the access log."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from onewriter.customers import find
from onewriter.customers.access_lines import Wanted
from onewriter.customers.people import Role
from onewriter.desk import accesses, customers, erasures, exports, paging, requests, retaining, shops
from onewriter.desk.accesses import AccessPage, ProofDocument
from onewriter.desk.erasures import Erased, ReceiptPage
from onewriter.desk.exports import ExportDocument
from onewriter.desk.requests import RequestDocument, RequestPage
from onewriter.desk.retaining import Due, Purged
from onewriter.desk.shops import RetentionDocument
from onewriter.errors import BadInput
from onewriter.records import DAY, Instant
from onewriter.rules.retention import DAYS_MAX, DAYS_MIN
from onewriter.web.api.customers import CustomerId
from onewriter.web.api.frame import Asker, Cursor, Limit, RequestBody, ShopName, Why, router
from onewriter.web.threads import slow

api = router("privacy")

EPOCH = date(1970, 1, 1)
RequestId = Annotated[int, Path(ge=1, le=10**15, description="The number of a request.")]
Given = Annotated[str, Field(min_length=1, max_length=100)]
Word = Annotated[str | None, Field(max_length=100)]


class Reason(RequestBody):
    """Why it is done."""

    why: Why


class Answering(RequestBody):
    """What is handed out for a request."""

    customer: Given | None = Field(None, description="Who is meant, by id, where the request does not say it clearly.")
    why: Why | None = None


class Erasing(RequestBody):
    """Why a customer is erased, once it was seen whom that takes."""

    why: Why
    dry_run: bool = Field(True, description="Only say whom it takes; give false to have it done. It is for good.")
    customers: int | None = Field(None, ge=1, le=100_000, description="How many the dry run said; needed to do it.")


class Retention(RequestBody):
    """For how many days deleted customers are kept."""

    days: int = Field(ge=DAYS_MIN, le=DAYS_MAX)
    why: Why
    dry_run: bool = Field(True, description="Only say who is due by it; give false to have it set.")


class Filter(BaseModel):
    """Which lines of the access log; nothing asks for all."""

    actor: Word = Field(None, description="Who, such as user:ann or token:till.")
    customer: Word = Field(None, description="About whom: our id, or Shopify's.")
    action: Word = Field(None, description="What, such as reveal.")
    since: date | None = Field(None, description="From that day on, in UTC.")
    until: date | None = Field(None, description="Up to the end of that day, in UTC.")


class Reasons(Filter, RequestBody):
    """Which lines of the access log, and why their reasons are to be seen."""

    why: Why
    cursor: Annotated[str | None, Field(max_length=200)] = None
    limit: int = Field(paging.USUAL, ge=1, le=paging.MOST)


class HandedOut(TypedDict):
    """What was handed out for a request; nothing where nothing is held of whom it names."""

    request: RequestDocument
    export: ExportDocument | None


class Taken(TypedDict):
    """Whom an erasure takes or took: how many customers, with those merged into it; a receipt once it is done."""

    customers: int
    held: bool
    done: Erased | None


# ---- Requests -------------------------------------------------------------------------------------------------------


@api.get("/requests")
def list_requests(
    asker: Asker, cursor: Cursor = None, limit: Limit = paging.USUAL, everything: bool = False
) -> RequestPage:
    """List what Shopify asks of us in law, the nearest deadline first; with `everything` what is done follows."""
    return requests.listed(asker, cursor, limit, everything=everything)


@api.get("/requests/{request_id}")
def show_request(asker: Asker, request_id: RequestId) -> RequestDocument:
    """Show one request."""
    return requests.shown(asker, request_id)


@api.post("/requests/{request_id}/close")
def close_request(asker: Asker, request_id: RequestId, given: Reason) -> RequestDocument:
    """Close a request that was answered elsewhere. For owners; it is in the access log."""
    return requests.close(asker, request_id, given.why)


@api.post("/requests/{request_id}/export")
def export_for_request(asker: Asker, request_id: RequestId, given: Answering) -> HandedOut:
    """Hand out everything that is held of whom a request for data names, in clear; it is done by that. For owners."""
    wanted = exports.sought(asker, None, given.customer, request_id)
    exports.permit(asker, wanted, given.why)
    export = None if wanted.whom is None else exports.opened(asker, wanted)
    exports.end(asker, wanted)
    return {"request": requests.shown(asker, request_id), "export": export}


# ---- One customer ---------------------------------------------------------------------------------------------------


@api.post("/customers/{customer_id}/export", tags=["customers"])
def export_customer(asker: Asker, customer_id: CustomerId, given: Reason, shop: ShopName = None) -> ExportDocument:
    """Hand out everything that is held of a customer and of whoever was merged into them, in clear. For owners."""
    wanted = exports.sought(asker, shop, customers.id_only(customer_id), None)
    exports.permit(asker, wanted, given.why)
    return exports.opened(asker, wanted)


@api.post("/customers/{customer_id}/erase", tags=["customers"])
def erase_customer(asker: Asker, customer_id: CustomerId, given: Erasing, shop: ShopName = None) -> Taken:
    """Erase a customer and whoever was merged into them, for good. For owners; ask with a dry run first."""
    text = customers.id_only(customer_id)
    if given.dry_run:
        with asker.runtime.database.read() as db:
            asker.require(db, Role.OWNER)
        meant = erasures.whom(asker, shop, text)
        return {"customers": meant.customers, "held": meant.held, "done": None}
    if given.customers is None:
        raise BadInput("Say how many customers it takes, as the dry run told.", "customers")
    done = erasures.erase(asker, shop, text, given.why, seen=given.customers)
    return {"customers": given.customers, "held": done["erased"] > 0, "done": done}


@api.get("/erasures")
def list_receipts(asker: Asker, cursor: Cursor = None, limit: Limit = paging.USUAL) -> ReceiptPage:
    """List the receipts of erasures, the newest first: hashes, counts and times, and nothing of a person."""
    return erasures.receipts(asker, cursor, limit)


# ---- Retention ------------------------------------------------------------------------------------------------------


@api.get("/retention")
def show_retention(asker: Asker, shop: ShopName = None) -> Due:
    """Show how many deleted customers are kept, who is due, and how many fall due on each day to come."""
    return retaining.due(asker, shop)


@api.put("/retention")
def set_retention(asker: Asker, given: Retention, shop: ShopName = None) -> RetentionDocument:
    """Set for how many days deleted customers are kept. For owners; ask with a dry run first."""
    if given.dry_run:
        return shops.retention_effect(asker, shop, given.days)
    return shops.set_retention(asker, shop, given.days, given.why)


@api.post("/retention/purge")
def purge_due(asker: Asker, given: Reason, shop: ShopName = None) -> Purged:
    """Purge whoever is due now, and not within the hour, when it happens by itself. For owners."""
    return retaining.purge(asker, shop, given.why)


# ---- The access log -------------------------------------------------------------------------------------------------


@api.get("/access-log")
def list_access(
    asker: Asker,
    asked: Annotated[Filter, Query()],
    shop: ShopName = None,
    cursor: Cursor = None,
    limit: Limit = paging.USUAL,
) -> AccessPage:
    """List who saw or changed protected data, the newest first; without the reasons that they gave."""
    return accesses.listed(asker, _wanted(asker, asked, shop), cursor, limit)


@api.post("/access-log/reasons")
def open_access(asker: Asker, asked: Reasons, shop: ShopName = None) -> AccessPage:
    """The same with the reasons. For owners; that they were read, and why, is in the log first."""
    return accesses.opened(asker, _wanted(asker, asked, shop), asked.cursor, asked.limit, asked.why)


@api.get("/access-log/proof")
@slow
def prove_access(asker: Asker) -> ProofDocument:
    """Prove that no line of the access log was changed, removed or added. It walks the whole log."""
    return accesses.verified(asker)


def _wanted(asker: Asker, asked: Filter, shop: str | None) -> Wanted:
    if asked.customer is not None and not find.is_id(asked.customer):
        raise BadInput("Name the customer by Shopify's number or our id.", "customer")
    return accesses.wanted(
        asker,
        shop,
        actor=asked.actor,
        customer=asked.customer,
        action=asked.action,
        since=_begin(asked.since, 0),
        until=_begin(asked.until, 1),
    )


def _begin(day: date | None, after: int) -> Instant | None:
    return None if day is None else ((day - EPOCH).days + after) * DAY
