"""Connected systems, their cycles and what is parked, for programs."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field
from typing_extensions import TypedDict

from onewriter.desk import cycling, paging, parked, systems
from onewriter.desk.cycling import Queued
from onewriter.desk.parked import Decided, ParkedPage, Wanted
from onewriter.desk.runs import RunDocument
from onewriter.web.api.frame import Asker, Cursor, Limit, RequestBody, ShopName, Why, router

api = router("systems")

ALLOWED_MAX = 200
"""Fields that one call allows a cycle to change."""

Name = Annotated[str, Path(max_length=200, description="The name of a system.")]
Word = Annotated[str, Field(max_length=200)]
OfSystem = Annotated[str | None, Query(alias="system", max_length=200, description="Only of this system.")]
OfField = Annotated[str | None, Query(alias="field", max_length=200, description="Only of this field.")]


class SystemList(TypedDict):
    """The systems of a shop, which are few."""

    items: list[dict[str, Any]]


class RunList(TypedDict):
    """The newest runs of a system."""

    items: list[RunDocument]


class Reason(RequestBody):
    """Why something is done."""

    why: Why


class Cycle(RequestBody):
    """How a cycle is run."""

    dry_run: bool = Field(False, description="Only say what it would write.")
    full: bool = Field(False, description="Read every record, not only what changed.")
    customer: Word | None = Field(None, description="Only this customer: an id, an email address or a phone number.")
    allow: list[Word] = Field(
        default_factory=list,
        max_length=ALLOWED_MAX,
        description="Fields of which it may change however many values; `vanished` where records may be gone.",
    )
    why: Annotated[str, Field(max_length=500)] = Field("", description="The reason, where something is allowed.")


class Shown(RequestBody):
    """Which parked values are to be seen in clear, and why."""

    why: Why
    system: Word | None = None
    field: Word | None = None
    customer: Word | None = Field(None, description="An id, an email address or a phone number.")
    cursor: Word | None = None
    limit: int = Field(paging.USUAL, ge=1, le=paging.MOST)


# ---- Systems --------------------------------------------------------------------------------------------------------


@api.get("/systems")
def list_systems(asker: Asker, shop: ShopName = None) -> SystemList:
    """List the connected systems, Shopify among them."""
    return {"items": systems.listed(asker, shop)}


@api.get("/systems/{name}")
def show_system(asker: Asker, name: Name, shop: ShopName = None) -> dict[str, Any]:
    """Show a system: how it stands, its mapping, and what waits for it."""
    return systems.shown(asker, shop, name)


@api.post("/systems/{name}/{what}")
def change_system(
    asker: Asker, name: Name, what: Literal["pause", "resume"], reason: Reason, shop: ShopName = None
) -> dict[str, Any]:
    """Pause a system, or let it go on."""
    if what == "pause":
        systems.pause(asker, shop, name, reason.why)
    else:
        systems.resume(asker, shop, name)
    return systems.shown(asker, shop, name)


# ---- Cycles ---------------------------------------------------------------------------------------------------------


@api.get("/systems/{name}/runs")
def list_cycles(asker: Asker, name: Name, shop: ShopName = None, limit: Limit = paging.USUAL) -> RunList:
    """List the newest cycles and audits of a system, and what was taken back."""
    return {"items": cycling.of_system(asker, shop, name, limit)}


@api.post("/cycles/{name}")
def run_cycle(asker: Asker, name: Name, cycle: Cycle, shop: ShopName = None) -> Queued:
    """Queue a cycle of a system; `allow` is an owner's to give."""
    how = {"dry": cycle.dry_run, "full": cycle.full}
    return cycling.queue(asker, shop, name, **how, customer=cycle.customer, allow=cycle.allow, why=cycle.why)


@api.post("/runs/{run_id}/undo")
def undo_cycle(asker: Asker, run_id: Annotated[str, Path(max_length=64)], reason: Reason) -> Queued:
    """Queue taking back what a cycle wrote, here and in the system, which is paused."""
    return cycling.undo(asker, run_id, reason.why)


# ---- Parked values --------------------------------------------------------------------------------------------------


@api.get("/parked")
def list_parked(
    asker: Asker,
    shop: ShopName = None,
    system: OfSystem = None,
    field: OfField = None,
    ended: bool = False,
    cursor: Cursor = None,
    limit: Limit = paging.USUAL,
) -> ParkedPage:
    """List parked values, the oldest first, masked; with `ended` those too of which something came."""
    return parked.listed(asker, shop, Wanted(system=system, field=field, ended=ended), cursor, limit)


@api.post("/parked/reveal")
def reveal_parked(asker: Asker, wanted: Shown, shop: ShopName = None) -> ParkedPage:
    """List parked values in clear. Who saw whose fields, and why, is in the access log before anything is opened."""
    which = Wanted(system=wanted.system, field=wanted.field, customer=wanted.customer)
    return parked.listed(asker, shop, which, wanted.cursor, wanted.limit, wanted.why)


@api.post("/parked/{parked_id}/{what}")
def decide_parked(
    asker: Asker,
    parked_id: Annotated[str, Path(max_length=36)],
    what: Literal["release", "drop"],
    reason: Reason,
    shop: ShopName = None,
) -> Decided:
    """Release a parked value to where it belongs, or give it up."""
    act = parked.release if what == "release" else parked.drop
    return act(asker, shop, parked_id, reason.why)
