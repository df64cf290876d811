"""What an error is answered with: a status for each kind, and for programs the one shape that all have (RFC 9457)."""

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from onewriter.errors import BadInput, BadSetting, Forbidden, OnewriterError, Temporary, Unknown

PROBLEM = "application/problem+json"

TITLES = {
    400: "Not understood", 401: "Not known", 403: "Not allowed", 404: "Not there", 405: "No such method",
    409: "Not as it is now", 413: "Too large", 422: "Not taken", 429: "Too many", 500: "Failed", 503: "Not now",
}  # fmt: skip


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(default="about:blank", description="What kind of problem it is: one of ours by its name.")
    title: str
    status: int
    detail: str = Field(description="One sentence with the next step.")
    about: str | None = Field(default=None, description="The parameter or field that it is about, if it is one.")


class TooLarge(HTTPException):
    """More came than is taken there. It was told in parts, so that nobody could know before."""

    def __init__(self) -> None:
        super().__init__(413)


def status_of(error: OnewriterError) -> int:
    """The HTTP status that says what kind of error it is; 409 where it is the present state that forbids it."""
    if isinstance(error, Temporary):
        return 503
    if isinstance(error, Unknown):
        return 404
    if isinstance(error, Forbidden):
        return 403
    return 422 if isinstance(error, BadInput | BadSetting) else 409


def problem(status: int, detail: str, kind: str = "about:blank", about: str | None = None, **headers: str) -> Response:
    """An answer that says what went wrong."""
    told = Problem(type=kind, title=TITLES.get(status, "Failed"), status=status, detail=detail, about=about)
    return JSONResponse(told.model_dump(), status, headers=headers or None, media_type=PROBLEM)


def unrouted(status: int, detail: str = "", **headers: str) -> Response:
    """The problem of an address that leads nowhere, or takes another method."""
    told = {404: "There is nothing at this address.", 405: "This address takes another method."}
    return problem(status, told.get(status, detail), **headers)


def too_large() -> Response:
    """The problem of a body that is too large. The connection is closed, since what follows on it would be the body."""
    told = "More was sent than is taken there; send less at a time."
    return problem(413, told, "TooLarge", Connection="close")


def failed() -> Response:
    """The problem of a fault of ours, of which no more is told than that."""
    return problem(500, "Something went wrong here; the log says what kind. Ask again, or report it.")
