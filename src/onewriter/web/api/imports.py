"""Files of customers for programs: sent, looked at, imported, and taken back."""

from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from typing_extensions import TypedDict

from onewriter.desk import imports, paging
from onewriter.desk.cycling import Queued
from onewriter.desk.imports import HEADING_MAX, NAME, NAME_MAX, KeptFile, Undone, Wish
from onewriter.desk.runs import RunDocument
from onewriter.web import apart
from onewriter.web.api.frame import Asker, Limit, RequestBody, ShopName, router
from onewriter.web.threads import slow

api = router("imports")

FileId = Annotated[str, Path(max_length=64, description="Of a file that was sent.")]
RunId = Annotated[str, Path(max_length=64)]
CSV: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is, at most 64 MiB.",
        "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Imports(TypedDict):
    """The newest imports, and what was taken back of them."""

    items: list[RunDocument]


class KeptFiles(TypedDict):
    """The files that were sent and are kept still."""

    items: list[KeptFile]


class Sent(TypedDict):
    """A file that was sent."""

    id: str


class Dropped(TypedDict):
    """A file that is forgotten."""

    dropped: str


class Said(RequestBody):
    """What is said of a file."""

    system: Annotated[str, Field(min_length=1, max_length=NAME_MAX)] = NAME
    columns: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=100)] = Field(
        default_factory=list, description="COLUMN=FIELD, for columns that are not known by their heading."
    )
    key: Annotated[str, Field(max_length=HEADING_MAX)] | None = Field(None, description="The column that names a row.")


class Start(RequestBody):
    """How much may change; more than the settings allow is an owner's to say, and why."""

    allow_percent: int | None = Field(None, ge=0, le=100)
    why: Annotated[str, Field(max_length=500)] | None = None


@api.get("/imports")
def list_imports(asker: Asker, shop: ShopName = None, limit: Limit = paging.USUAL) -> Imports:
    """List the newest imports of files."""
    return {"items": imports.listed(asker, shop, limit)}


@api.post("/imports", openapi_extra=CSV)
async def send_file(
    request: Request,
    asker: Asker,
    shop: ShopName = None,
    system: Annotated[str, Query(min_length=1, max_length=NAME_MAX, description="What it counts as.")] = NAME,
    key: Annotated[str | None, Query(max_length=HEADING_MAX, description="The column that names a row.")] = None,
) -> Sent:
    """Send a file of customers. It is kept sealed for a day; nothing is imported before `start`.

    One is taken at a time; while another is being sent the answer is 503.
    """
    body = await request.body()
    return {"id": await run_in_threadpool(imports.keep, asker, shop, body, Wish(system, key=key))}


@api.get("/imports/files")
def list_files(asker: Asker, shop: ShopName = None) -> KeptFiles:
    """List the files that were sent and are kept still, the newest first."""
    return {"items": imports.waiting(asker, shop)}


@api.get("/imports/files/{file_id}")
@slow
def look_at_file(asker: Asker, file_id: FileId, shop: ShopName = None) -> dict[str, Any]:
    """Tell what importing the file would do, by counts and rows; nothing is written."""
    held, _ = imports.kept(asker, shop, file_id)
    return apart.look(asker, shop, file_id, len(held.body))


@api.put("/imports/files/{file_id}")
@slow
def say_of_file(asker: Asker, file_id: FileId, said: Said, shop: ShopName = None) -> dict[str, Any]:
    """Say anew what the columns of the file mean, and tell what importing it would do."""
    held, _ = imports.kept(asker, shop, file_id)
    wish = Wish(said.system, imports.named(said.columns), said.key)
    imports.keep(asker, shop, held.body, wish, file_id)
    return apart.look(asker, shop, file_id, len(held.body))


@api.post("/imports/files/{file_id}/start")
def start_import(asker: Asker, file_id: FileId, start: Start, shop: ShopName = None) -> Queued:
    """Queue the import of the file; a worker carries it out."""
    return imports.start_kept(asker, shop, file_id, allow=start.allow_percent, why=start.why)


@api.delete("/imports/files/{file_id}")
def drop_file(asker: Asker, file_id: FileId, shop: ShopName = None) -> Dropped:
    """Forget a file that was sent."""
    imports.drop(asker, shop, file_id)
    return {"dropped": file_id}


@api.get("/runs/{run_id}/undo")
@slow
def look_at_undo(asker: Asker, run_id: RunId) -> Undone:
    """Tell what taking a cycle or an import back would put back, and what it would leave; nothing is changed."""
    return apart.would_undo(asker, run_id)
