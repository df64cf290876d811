"""The shop behind a port: what apps ask of it, and the control endpoints of tests and the demo."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from onewriter.sandbox import control
from onewriter.sandbox.exchange import Asked
from onewriter.sandbox.front import Front
from onewriter.sandbox.shop import Shop


def build_app(shop: Shop) -> Starlette:
    front = Front(shop)

    async def answer(request: Request) -> Response:
        asked = Asked(
            request.method,
            request.url.path,
            str(request.base_url).rstrip("/"),
            dict(request.query_params),
            dict(request.headers),
            await request.body(),
        )
        answered = await run_in_threadpool(front.answer, asked)
        if isinstance(answered.blocks, tuple):
            return Response(b"".join(answered.blocks), answered.status, dict(answered.headers))
        # Ending before Content-Length makes the server close the connection: what a broken download looks like.
        return StreamingResponse(answered.blocks, answered.status, dict(answered.headers))

    methods = ["GET", "HEAD", "POST"]
    app = Starlette(
        routes=[Route(path, answer, methods=methods) for path in ("/admin/{rest:path}", "/bulk/{rest:path}")]
    )
    app.routes.extend(control.routes(shop))
    app.state.gateway = front.gateway
    return app
