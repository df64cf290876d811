"""An HTTP client's way straight into a shop of the same process: no port, no thread, and the shop's clock alone."""

from collections.abc import Iterable, Iterator

import httpx2

from onewriter.sandbox.exchange import Asked
from onewriter.sandbox.front import Front


class Transport(httpx2.BaseTransport):
    """Takes the requests of an httpx2 client to the shop, whatever host they name."""

    def __init__(self, front: Front) -> None:
        self.front = front

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        asked = Asked(
            request.method,
            url.path,
            f"{url.scheme}://{url.netloc.decode()}",
            dict(url.params),
            {name.lower(): value for name, value in request.headers.items()},
            request.read(),
        )
        answered = self.front.answer(asked)
        headers = dict(answered.headers)
        return httpx2.Response(
            answered.status, headers=headers, stream=_Body(answered.blocks, headers), request=request
        )


class _Body(httpx2.SyncByteStream):
    """A body that fails as a broken connection does where it is shorter than was announced."""

    def __init__(self, blocks: Iterable[bytes], headers: dict[str, str]) -> None:
        self._blocks, self._announced = blocks, headers.get("Content-Length")

    def __iter__(self) -> Iterator[bytes]:
        came = 0
        for block in self._blocks:
            came += len(block)
            yield block
        if self._announced is not None and came < int(self._announced):
            raise httpx2.RemoteProtocolError("peer closed connection without sending complete message body")
