"""The files that pages load: read once, held in memory, and named by what they hold, so that browsers may keep them.

Everything is served from here and nothing from elsewhere. What was made by others is in `static/vendor`, with the list
of what it is, its licence and its checksum.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, by how its name ends; the rest of the folder is for people."""
KEEP = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent."""

    body: bytes
    zipped: bytes
    media_type: str
    mark: str
    """Of what it holds: another file has another address."""


@lru_cache(1)
def every() -> Mapping[str, File]:
    """All files, by the name that templates call them."""
    folder = files("onewriter.web") / "static"
    found = {}
    for place, prefix in ((folder, ""), (folder / "vendor", "vendor/")):
        for each in place.iterdir():
            ending = each.name[each.name.rfind(".") :]
            if each.is_file() and ending in TYPES:
                found[prefix + each.name] = _file(each.read_bytes(), TYPES[ending])
    return found


def _file(body: bytes, media_type: str) -> File:
    return File(body, gzip.compress(body, 9, mtime=0), media_type, sha256(body).hexdigest()[:12])


def url_of(name: str) -> str:
    """The address of a file; raises KeyError for one that is not there."""
    return f"{PATH}/{every()[name].mark}/{name}"


async def _answer(request: Request) -> Response:
    found = every().get(request.path_params["name"])
    if found is None or found.mark != request.path_params["mark"]:
        return Response(status_code=404)
    headers = {"cache-control": KEEP, "vary": "accept-encoding"}
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
    if takes_gzip:
        headers["content-encoding"] = "gzip"
    return Response(found.zipped if takes_gzip else found.body, 200, headers, found.media_type)


ROUTES = [Route(PATH + "/{mark}/{name:path}", _answer)]
