"""One request to the shop and its answer, whichever way they came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Names of headers are in lower case; `base_url` is where the caller reached the shop."""

    method: str
    path: str
    base_url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def given(self) -> dict[str, str]:
        """The fields of the body, as a form or as JSON."""
        if not self.headers.get("content-type", "").startswith("application/json"):
            return dict(parse_qsl(self.body.decode("utf-8", "replace")))
        try:
            read = msgspec.json.decode(self.body, type=dict[str, str | int])
        except msgspec.DecodeError:
            return {}
        return {key: str(value) for key, value in read.items()}


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. A body that ends before its Content-Length is a connection that broke."""

    status: int
    blocks: Iterable[bytes] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answered:
    return Answered(status, (msgspec.json.encode(value),), {"Content-Type": "application/json", **(headers or {})})
