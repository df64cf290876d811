"""Runs for programs."""

import json
from typing import Annotated, Any

from fastapi import Path, Request, Response

from onewriter.desk import overview, paging, runs
from onewriter.desk.overview import Overview
from onewriter.desk.runs import Resumed, RunPage
from onewriter.web.api.frame import Asker, Cursor, Limit, ShopName, router
from onewriter.web.live import MEDIA_TYPE, Streams
from onewriter.web.problems import problem

api = router("runs")

RunId = Annotated[str, Path(max_length=64, description="The id of a run.")]


@api.get("/overview", tags=["overview"])
def show_overview(asker: Asker, shop: ShopName = None) -> Overview:
    """Tell whether all is well with a shop: what runs, what waits, what is wrong, and since when it is in step."""
    return overview.overview(asker, shop)


@api.get("/runs")
def list_runs(asker: Asker, cursor: Cursor = None, limit: Limit = paging.USUAL) -> RunPage:
    """List runs, the newest first."""
    return runs.listed(asker, cursor, limit)


@api.get("/runs/{run_id}")
def show_run(asker: Asker, run_id: RunId) -> dict[str, Any]:
    """Show a run: how far it is, and what came of it."""
    return runs.show(asker, run_id)


@api.post("/runs/{run_id}/resume")
def resume_run(asker: Asker, run_id: RunId) -> Resumed:
    """Let a paused run go on from where it stood."""
    return runs.resume(asker, run_id)


@api.get(
    "/runs/{run_id}/live",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "Events, until it is over."}
    },
)
def follow_run(asker: Asker, run_id: RunId, request: Request) -> Response:
    """Follow a run: each event is the run as JSON, sent when it has moved; the event `over` is the last."""
    runs.short(asker, run_id)
    streams: Streams = request.app.state.streams
    stream = streams.follow(lambda: runs.short(asker, run_id), json.dumps)
    return (
        problem(503, "Too many are watching; ask again in a minute.", **{"Retry-After": "60"})
        if stream is None
        else stream
    )
