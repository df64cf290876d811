"""Fields, systems and the programme for programs."""

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from onewriter.desk import fields, paging, parked, programme, systems
from onewriter.web.api.frame import Asker, Limit, ShopName, Why, router

api = router("fields and systems")

Name = Annotated[str, Path(max_length=200, description="The name of a system.")]
Word = Annotated[str, Field(max_length=200)]


class Documents(TypedDict):
    """A list that fits one page."""

    items: list[dict[str, Any]]


class Queued(TypedDict):
    """A run that was queued."""

    run: str


class Change(BaseModel):
    """A change that is only shown, unless `dry_run` is false; then it needs a reason."""

    dry_run: bool = True
    why: Annotated[str, Field(max_length=500)] = ""
    version: int | None = Field(None, ge=0, description="The version that was looked at; another is refused.")


class Owner(Change):
    """Another owner of a field."""

    field: Word
    owner: Word = Field(description="A system, or `manual`.")


class Toml(Change):
    """A whole file."""

    toml: Annotated[str, Field(max_length=100_000)]


class Reason(BaseModel):
    """Why something is done."""

    why: Why


class Cycle(BaseModel):
    """How a cycle is run."""

    dry_run: bool = Field(False, description="Only say what it would write.")
    full: bool = Field(False, description="Read every record, not only what changed.")


@api.get("/fields")
def show_fields(asker: Asker, shop: ShopName = None) -> dict[str, Any]:
    """Show the policy: who owns each field, how each system takes part, what is wrong with it, and every version."""
    return fields.policy(asker, shop)


@api.post("/fields/owner")
def set_owner(asker: Asker, wanted: Owner, shop: ShopName = None) -> dict[str, Any]:
    """Give a field another owner, or say what that would change."""
    return _changed(asker, shop, wanted, fields.owning(wanted.field, wanted.owner))


@api.put("/fields")
def set_fields(asker: Asker, wanted: Toml, shop: ShopName = None) -> dict[str, Any]:
    """Set the whole policy from TOML, as `GET /fields` gives it, or say what that would change."""
    return _changed(asker, shop, wanted, fields.from_toml(wanted.toml))


def _changed(asker: Asker, shop: str | None, wanted: Change, make: fields.Make) -> dict[str, Any]:
    planned = fields.plan(asker, shop, make)
    if wanted.dry_run:
        return fields.change_document(planned, is_set=False)
    return fields.put(asker, planned, wanted.why, wanted.version)


@api.get("/systems")
def list_systems(asker: Asker, shop: ShopName = None) -> Documents:
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


@api.post("/cycles/{name}")
def run_cycle(asker: Asker, name: Name, cycle: Cycle, shop: ShopName = None) -> Queued:
    """Queue a cycle of a system."""
    return {"run": systems.cycle(asker, shop, name, dry=cycle.dry_run, full=cycle.full)}


@api.get("/parked")
def list_parked(asker: Asker, shop: ShopName = None, limit: Limit = paging.USUAL) -> Documents:
    """List parked values, the oldest first, masked."""
    return {"items": parked.listed(asker, shop, limit)}


@api.post("/parked/{parked_id}/{what}")
def decide_parked(
    asker: Asker,
    parked_id: Annotated[str, Path(max_length=36)],
    what: Literal["release", "drop"],
    reason: Reason,
    shop: ShopName = None,
) -> dict[str, Any]:
    """Release a parked value to where it belongs, or give it up."""
    act = parked.release if what == "release" else parked.drop
    return act(asker, shop, parked_id, reason.why)


@api.get("/programme")
def show_programme(asker: Asker, shop: ShopName = None) -> dict[str, Any]:
    """Show the rules that give points, and every version there was."""
    return programme.shown(asker, shop)


@api.put("/programme")
def set_programme(asker: Asker, wanted: Toml, shop: ShopName = None) -> dict[str, Any]:
    """Set the rules that give points, from now on, or say what that would change."""
    planned = programme.plan(asker, shop, wanted.toml)
    told = programme.change_document(planned)
    if wanted.dry_run:
        return told | {"set": False}
    return told | {"set": True, "version": programme.put(asker, planned, wanted.why, wanted.version)}
