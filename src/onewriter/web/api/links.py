"""Links for programs: which record is whose, what waits for a person, and what a person says of it."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from onewriter.desk import links, paging
from onewriter.desk.linked import LinkDocument
from onewriter.desk.links import PairPage
from onewriter.errors import BadInput
from onewriter.web.api.frame import Asker, Cursor, Limit, RequestBody, ShopName, Why, router
from onewriter.web.api.systems import OfSystem

api = router("links")

Word = Annotated[str, Field(max_length=200)]
Record = Annotated[
    str, Field(min_length=1, max_length=512, description="The id of a record in its system, or its keyed name.")
]
Customer = Annotated[str, Field(min_length=1, max_length=200, description="An id, an email address or a phone number.")]


class LinkList(TypedDict):
    """All that is on record of a customer or a record."""

    items: list[LinkDocument]


class Whose(RequestBody):
    """A customer; or else a record and its system."""

    customer: Customer | None = None
    system: Word | None = None
    record: Record | None = None


class WhoseInClear(Whose):
    """The same, with the ids that the systems have for their records."""

    why: Why


class PairsInClear(RequestBody):
    """Which of the pairs that wait are to be seen in clear, and why."""

    why: Why
    system: Word | None = None
    cursor: Word | None = None
    limit: int = Field(paging.USUAL, ge=1, le=paging.MOST)


class Decision(RequestBody):
    """A record and a customer, and why a person says of them what they say."""

    system: Word
    record: Record
    customer: Customer
    why: Why


@api.get("/links/review")
def list_pairs(
    asker: Asker, shop: ShopName = None, system: OfSystem = None, cursor: Cursor = None, limit: Limit = paging.USUAL
) -> PairPage:
    """List the pairs that wait for a person, with what either side says, masked."""
    return links.waiting(asker, shop, cursor, limit, system=system)


@api.post("/links/review/reveal")
def reveal_pairs(asker: Asker, wanted: PairsInClear, shop: ShopName = None) -> PairPage:
    """List the pairs that wait in clear. Who saw whose fields, and why, is in the access log by then."""
    return links.waiting(asker, shop, wanted.cursor, wanted.limit, system=wanted.system, why=wanted.why)


@api.post("/links/search")
def search_links(asker: Asker, whose: Whose, shop: ShopName = None) -> LinkList:
    """Show which records are a customer's, or whose a record is. It is a POST, for what is looked for is personal."""
    return {"items": _found(asker, shop, whose, None)}


@api.post("/links/search/reveal")
def reveal_links(asker: Asker, whose: WhoseInClear, shop: ShopName = None) -> LinkList:
    """Show the same with the ids that the systems have for their records; the reason is in the access log by then."""
    return {"items": _found(asker, shop, whose, whose.why)}


def _found(asker: Asker, shop: str | None, whose: Whose, why: str | None) -> list[LinkDocument]:
    if whose.customer is not None and whose.record is None and whose.system is None:
        return links.of_customer(asker, shop, whose.customer, why)
    if whose.customer is None and whose.record is not None and whose.system is not None:
        return links.of_record(asker, shop, whose.system, whose.record, why)
    raise BadInput("Name a customer, or else a record and its system.", "customer")


@api.post("/links/{what}")
def decide_link(
    asker: Asker, what: Literal["accept", "refuse", "link", "break"], decision: Decision, shop: ShopName = None
) -> LinkDocument:
    """Say of a record and a customer that they are one, or that they are two."""
    return links.decide(asker, shop, what, decision.system, decision.record, decision.customer, decision.why)
