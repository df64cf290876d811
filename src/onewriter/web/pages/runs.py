"""Runs: the list, each with what came of it, and how far it is while it goes."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.desk import cycling, runs
from onewriter.desk.runs import RunDocument
from onewriter.errors import BadInput, Forbidden
from onewriter.web import apart
from onewriter.web.pages import templating
from onewriter.web.pages.frame import Page, Visit, session_of
from onewriter.web.problems import status_of
from onewriter.workflows.undoing import NotUndone

LIMIT = 50


def listed(visit: Visit) -> Response:
    """The newest runs."""
    return visit.render("runs/list.html", found=runs.listed(visit.caller, visit.asked("cursor"), LIMIT))


def show(visit: Visit) -> Response:
    """One run with what came of it."""
    return _shown(visit, 200)


def _shown(visit: Visit, code: int, wrong: str | None = None, would: Mapping[str, int] | None = None) -> Response:
    run = runs.show(visit.caller, visit.part("run_id"))
    undoable = cycling.undoable(run["kind"], run["state"])
    common = {"undoable": undoable, "wrong": wrong, "typed": visit.text("why"), "would": would}
    return visit.render("runs/show.html", code, run=run, **common)


def follow(visit: Visit) -> Response:
    """How far a run is, told anew whenever it has moved."""
    run_id = visit.part("run_id")
    runs.short(visit.caller, run_id)
    progress: Any = templating.environment().get_template("runs/progress.html").module

    def look() -> RunDocument:
        if session_of(visit.request, visit.runtime) is None:
            raise Forbidden("Your session has ended.")
        return runs.short(visit.caller, run_id)

    stream = visit.streams.follow(look, lambda run: str(progress.progress(run)))
    return Response(status_code=503, headers={"Retry-After": "60"}) if stream is None else stream


def resume(visit: Visit) -> Response:
    """Let a paused run go on."""
    run_id = visit.part("run_id")
    runs.resume(visit.caller, run_id)
    return visit.go(f"/runs/{run_id}", "It is queued again, and goes on from where it stood.")


def undo(visit: Visit) -> Response:
    """Take back what a cycle or a file wrote; or show first what that would come to."""
    try:
        if visit.text("what") == "see":
            return _shown(visit, 200, would=apart.would_undo(visit.caller, visit.part("run_id"))["counts"])
        queued = cycling.undo(visit.caller, visit.part("run_id"), visit.text("why"))
    except (BadInput, NotUndone) as error:
        return _shown(visit, status_of(error), str(error))
    return visit.go(f"/runs/{queued['run']}", "Queued: it takes back what that run wrote. This page follows it.")


PAGES = [
    Page("/runs", listed),
    Page("/runs/{run_id}", show),
    Page("/runs/{run_id}/live", follow),
    Page("/runs/{run_id}/resume", resume, "POST"),
    Page("/runs/{run_id}/undo", undo, "POST", Role.OWNER, slow=True),
]
