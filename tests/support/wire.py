"""The way from a runtime to its shops, on which a test may answer in a shop's place, or act when it has answered."""

from collections.abc import Callable

import httpx2
import pytest

from onewriter.runtime import Runtime


def nothing(_body: bytes) -> None:
    """Leave the answer to the shop; do nothing behind it."""


def is_page(body: bytes) -> bool:
    """True for a query of one page of customers."""
    return b"query Page(" in body


class Wire(httpx2.HTTPTransport):
    """A transport of a runtime's clients, which never really sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = 0
        """How many pages were asked for."""
        self.answer: Callable[[bytes], httpx2.Response | None] = nothing
        """What to answer to a body in the shop's place."""
        self.afterwards: Callable[[bytes], None] = nothing
        """What to do when the shop has answered a body, before that arrives."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST":
            return super().handle_request(request)
        body = request.read()
        self.pages += is_page(body)
        instead = self.answer(body)
        if instead is not None:
            return instead
        answered = super().handle_request(request)
        answered.read()
        self.afterwards(body)
        return answered


@pytest.fixture
def wire(runtime: Runtime) -> Wire:
    """The wire of the test's runtime."""
    laid = Wire()
    runtime.client_options = {"transport": laid, "sleep": lambda _seconds: None}
    return laid
