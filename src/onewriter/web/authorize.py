"""The page that a merchant lands on after agreeing: it connects the shop, or says in one sentence why not."""

from html import escape

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from onewriter.errors import OnewriterError, Temporary
from onewriter.intake.connect import NotSubscribed
from onewriter.runtime import Runtime
from onewriter.shopify.auth import CallbackRefused

PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>onewriter</title><p>{}</p></html>\n'

log = structlog.get_logger(__name__)


class AuthorizeRoute:
    """Answers the browser that Shopify sends back to us."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def answer(self, request: Request) -> Response:
        """Connect the shop that the callback speaks of. It waits for Shopify, so it runs in a thread."""
        if request.method != "GET":
            # HEAD comes with GET, and looking ahead must not use the address up.
            return Response(status_code=405, headers={"Allow": "GET"})
        status, sentence = self._finish(request)
        return HTMLResponse(PAGE.format(escape(sentence)), status)

    def _finish(self, request: Request) -> tuple[int, str]:
        try:
            wish, done = self._runtime.authorizer().finish(request.query_params.multi_items(), self._runtime.now())
        except CallbackRefused as refused:
            return refused.status, str(refused)
        except NotSubscribed as error:
            log.warning("shop authorized without webhooks")
            return 200, f"{error} You can close this page."
        except OnewriterError as error:
            log.warning("shop not authorized", error=type(error).__name__)
            return 503 if isinstance(error, Temporary) else 403, f"The shop was not connected: {error}"
        log.info("shop authorized", shop=done.shop_id, refused=len(done.report.refused))
        return 200, f"{wish.domain} is connected. You can close this page."
