"""Idempotency keys: a write that is sent again with its key is answered as it was, and done once.

The answer is kept sealed for 24 hours. A key goes with its token and with one request: another request under it is
refused. What failed without having been tried (4xx of what was sent, 503) is not kept, so that it can be mended.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from onewriter.customers import replies
from onewriter.customers.replies import Asking, Reply
from onewriter.desk.caller import Caller
from onewriter.errors import BadInput

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_MAX = 100


async def once(
    caller: Caller, key: str, secret: str, request: Request, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    """The answer to a write with a key: done now, or as it was."""
    if not 0 < len(key) <= KEY_MAX or not key.isascii() or not key.isprintable():
        raise BadInput(f"{HEADER} is 1 to {KEY_MAX} printable letters.", HEADER)
    asking = Asking(caller.who, key, _digest(request, await request.body()), secret)
    database = caller.runtime.database
    known = await run_in_threadpool(replies.begin, database, asking, caller.now)
    if known is not None:
        return Response(known.body, known.status, media_type="application/json", headers={REPLAYED: "true"})
    try:
        given = await answer(request)
    except BaseException:
        await run_in_threadpool(replies.forget, database, asking)
        raise
    if given.status_code >= 400:
        await run_in_threadpool(replies.forget, database, asking)
    else:
        await run_in_threadpool(replies.finish, database, asking, Reply(given.status_code, bytes(given.body)))
    return given


def _digest(request: Request, body: bytes) -> bytes:
    """What tells one request from another."""
    place = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return sha256(place + body).digest()
