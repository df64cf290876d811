"""Merges for programs: what one would come to, the receipts, and giving points back."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field
from typing_extensions import TypedDict

from onewriter.desk import merging, paging
from onewriter.web.api.frame import Asker, Limit, RequestBody, ShopName, Why, router

api = router("merges")

ReceiptId = Annotated[str, Path(max_length=64, description="The id of a receipt.")]
Somebody = Annotated[str, Field(min_length=1, max_length=320)]


class Receipts(TypedDict):
    """The newest receipts, without their entries."""

    items: list[dict[str, Any]]


class Two(RequestBody):
    """Two customers: by Shopify's number, our id, an email address or a phone number."""

    deleted: Somebody = Field(description="Who would be deleted.")
    kept: Somebody = Field(description="Who would be kept. Shopify decides that, and not who asks.")


class Reason(RequestBody):
    """Why points are given back."""

    why: Why


@api.get("/merges")
def list_merges(asker: Asker, shop: ShopName = None, limit: Limit = paging.USUAL) -> Receipts:
    """List the receipts of merges, the newest first."""
    return {"items": merging.listed(asker, shop, limit)[1]}


@api.post("/merges/plan")
def plan_merge(asker: Asker, two: Two, shop: ShopName = None) -> dict[str, Any]:
    """Tell what merging two customers in Shopify would come to for their points; nothing is changed."""
    return merging.plan(asker, shop, two.deleted, two.kept)["document"]


@api.get("/merges/{receipt_id}")
def show_merge(asker: Asker, receipt_id: ReceiptId, shop: ShopName = None) -> dict[str, Any]:
    """Show one receipt with what it drops, as it stands now."""
    return merging.of_id(asker, shop, receipt_id)


@api.post("/merges/{receipt_id}/undo")
def undo_merge(asker: Asker, receipt_id: ReceiptId, reason: Reason, shop: ShopName = None) -> dict[str, Any]:
    """Give the points of a merged-away customer back to it; in Shopify the two stay merged."""
    return merging.undo(asker, shop, receipt_id, reason.why)
