"""Asking an ASGI application in this process, as a server would."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

App = Callable[..., Any]


@dataclass(slots=True)
class Heard:
    """What an application answered."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray)


async def ask(app: App, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Heard:
    """Post a body to an application."""
    heard = Heard()
    said: list[Mapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Mapping[str, Any]:
        return said.pop() if said else {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            heard.status = message["status"]
        else:
            heard.body += message.get("body", b"")

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 1), "server": ("door", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return heard
