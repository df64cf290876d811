"""Customers for programs."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from onewriter.desk import customers, paging, statements
from onewriter.desk.customers import CustomerPage, History, Searched, WholeCustomer
from onewriter.web.api.frame import Asker, Cursor, Limit, RequestBody, ShopName, Why, router

api = router("customers")

CustomerId = Annotated[
    str, Path(max_length=36, description="Our id of the customer, or Shopify's; never an address or a number to call.")
]


class Search(RequestBody):
    """What a customer is looked for by."""

    text: str = Field(
        min_length=1, max_length=200, description="An id, an email address, a phone number, or words of a name."
    )
    limit: int = Field(paging.USUAL, ge=1, le=paging.MOST)
    only_live: bool = Field(False, description="Leave out those who were deleted or merged away.")


class Reveal(RequestBody):
    """Why protected values are to be seen."""

    why: Why


@api.get("/customers")
def list_customers(
    asker: Asker, shop: ShopName = None, cursor: Cursor = None, limit: Limit = paging.USUAL, gone: bool = False
) -> CustomerPage:
    """List customers, the newest first; with `gone` those who are gone from the shop, the latest deletion first."""
    return customers.listed(asker, shop, cursor, limit, gone=gone)


@api.post("/customers/search")
def search_customers(asker: Asker, wanted: Search, shop: ShopName = None) -> Searched:
    """Find customers by what they are known by. It is a POST since what is looked for must not stand in an address."""
    return customers.searched(asker, shop, wanted.text, wanted.limit, only_live=wanted.only_live)


@api.get("/customers/{customer_id}")
def show_customer(asker: Asker, customer_id: CustomerId, shop: ShopName = None) -> WholeCustomer:
    """Show one customer, masked."""
    return customers.shown(asker, shop, customers.id_only(customer_id))


@api.post("/customers/{customer_id}/reveal")
def reveal_customer(asker: Asker, customer_id: CustomerId, reveal: Reveal, shop: ShopName = None) -> WholeCustomer:
    """Show one customer in clear. Who saw which fields, and why, is in the access log before anything is opened."""
    return customers.shown(asker, shop, customers.id_only(customer_id), reveal.why)


@api.get("/customers/{customer_id}/points")
def show_points(
    asker: Asker, customer_id: CustomerId, shop: ShopName = None, limit: Limit = paging.USUAL
) -> dict[str, Any]:
    """Show the points of a customer: the account with what comes next, the newest lines of the statement, the lots."""
    return statements.shown(asker, shop, customers.id_only(customer_id), limit)


@api.get("/customers/{customer_id}/history")
def show_history(
    asker: Asker,
    customer_id: CustomerId,
    shop: ShopName = None,
    field: str | None = None,
) -> History:
    """Show who wrote which field of a customer, when, by what, and whether that was allowed; without values."""
    found = customers.shown(asker, shop, customers.id_only(customer_id))
    return customers.history(asker, customers.own_id(found), field)
