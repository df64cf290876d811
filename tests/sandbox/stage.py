"""A sandbox shop in a thread, its Admin API, and a receiver of webhooks beside it."""

import json
import threading
from collections.abc import Callable
from heapq import heappop, heappush
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import httpx2

from onewriter.sandbox import Delivery, Faults, Gateway, RunningSandbox, Shop


class Api:
    """Calls of one app to one shop."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        headers = {"X-Shopify-Access-Token": sandbox.info.access_token}
        self.http = httpx2.Client(base_url=sandbox.url, headers=headers, trust_env=False, timeout=20)

    def answer(self, query: str, /, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        return self.http.post("/admin/api/2026-10/graphql.json", json=body).json()

    def data(self, query: str, /, **variables: Any) -> Any:
        answer = self.answer(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    def control(self, name: str, **given: Any) -> Any:
        answer = self.http.post(f"/_sandbox/{name}", json=given)
        assert answer.status_code == 200, answer.text
        return answer.json()


class Receiver:
    """Takes webhooks on a port of its own. `status` is what it answers; `got` all that came, headers and body."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        received = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.got.append((dict(self.headers), body))
                self.send_response(received.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class VirtualShop:
    """A shop in virtual time: nothing happens but what a test does, and `now` is the shop's clock."""

    def __init__(self, customers: int = 20, seed: int = 1, *, start: float = 1_800_000_000.0, **faults: Any) -> None:
        self.now = start
        self._waiting: list[tuple[float, int, Delivery, int]] = []
        self._sequence = count()
        self.shop = Shop(customers, seed, faults=Faults(**faults), clock=lambda: self.now, courier_schedule=self._take)
        self.gateway = Gateway(self.shop)

    def _take(self, delivery: Delivery, wait_s: float, retry: int) -> None:
        heappush(self._waiting, (self.now + wait_s, next(self._sequence), delivery, retry))

    def subscribe(self, *topics: str) -> None:
        for topic in topics:
            self.shop.subscriptions.create(topic, {"uri": "https://app.example.com/hooks"})

    def sends(self, acknowledge: Callable[[Delivery, int], bool] = lambda delivery, retry: True) -> list[Delivery]:
        """Every send that there is to be made, retries too; the clock moves on to each of them."""
        made = []
        while self._waiting:
            due, _, delivery, retry = heappop(self._waiting)
            self.now = max(self.now, due)
            made.append(delivery)
            self.shop.courier.sent(delivery, retry, acknowledge(delivery, retry))
        return made

    def told(self) -> list[tuple[str, Any]]:
        """The topics and bodies of all sends, acknowledged."""
        return [(each.topic, json.loads(each.body)) for each in self.sends()]

    def answer(self, query: str, /, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        return self.gateway.answer(body, "https://shop.example.com")

    def data(self, query: str, /, **variables: Any) -> Any:
        answer = self.answer(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]


SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri}) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}
"""


def subscribe(api: Api, receiver: Receiver, *topics: str) -> None:
    for topic in topics:
        made = api.data(SUBSCRIBE, topic=topic, uri=receiver.url)["webhookSubscriptionCreate"]
        assert made["userErrors"] == []
