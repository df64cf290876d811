"""Pages: how long after it was asked for the first byte of each comes, in a large shop; and the door meanwhile.

The web process is the real one, asked over one connection that stays open. The baseline is `/healthz` over the same
connection, which asks the database nothing. The door is measured alone and while five people use the pages, each of
whom opens another one every second.
"""

import http.client
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any
from urllib.parse import urlencode

from onewriter.bench.door import heard, loaded
from onewriter.bench.figures import Figure
from onewriter.bench.parts import started
from onewriter.bench.stage import Place, Stage, connect
from onewriter.customers import sessions
from onewriter.errors import Permanent
from onewriter.web.pages.frame import COOKIE

DEFAULT = 200_000
"""Customers; the promise is for a million."""
TURNS = 40
"""How often each page is opened."""
VISITORS = 5
"""People who use pages while the door is measured, each of whom opens another page every second."""
READS_S = 1.0
DELIVERIES = 4_000
DEEP = 20
"""Pages of the list that somebody turned before."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Visitor:
    """Somebody with a browser, on one connection."""

    def __init__(self, port: int, cookie: str) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Cookie": f"{COOKIE}={cookie}"}
        self._csrf = sessions.csrf_of(cookie)

    def open(self, path: str, form: Mapping[str, str] | None = None) -> tuple[float, bytes]:
        """Ask for a page, or send a form; the seconds until the first byte, and the page."""
        body = None if form is None else urlencode({"csrf": self._csrf, **form})
        began = time.perf_counter()
        self._http.request(
            "GET" if form is None else "POST", path, body, self._headers | ({} if form is None else FORM)
        )
        answer = self._http.getresponse()
        spent = time.perf_counter() - began
        text = answer.read()
        if answer.status != 200:
            raise Permanent(f"The page {path} was answered with {answer.status}.")
        return spent, text

    def close(self) -> None:
        """Leave."""
        self._http.close()


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Open every page of a shop of `n` customers, and then send deliveries while people open pages."""
    place = stage.place("pages")
    with started("sandbox", customers=1) as sandbox:
        shop = sandbox.hear()
        connect(place, shop)
        with started("pages", place=place, customers=n) as part:
            told = part.hear()
        with started("web", place=place, bare=False) as web:
            port = web.hear()["port"]
            yield from _pages(stage.database, n, port, told)
        yield from _door(stage, place, shop, told)


def _pages(database: str, n: int, port: int, told: Mapping[str, Any]) -> Iterator[Figure]:
    visitor = Visitor(port, told["cookie"])
    baseline = _rate(_opened(visitor, ["/healthz"]))
    for name, paths in _paths(visitor, told).items():
        yield _figure(name, database, n, _opened(visitor, paths), baseline)
    searched = [visitor.open("/customers", {"text": each})[0] for each in _again(told["emails"])]
    yield _figure("search by email", database, n, searched, baseline)
    visitor.close()


def _paths(visitor: Visitor, told: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "overview": ["/"],
        "customers": ["/customers"],
        "customers, deep in the list": [_deep(visitor)],
        "a customer": [f"/customers/{each}" for each in told["ids"]],
        "points of a customer": [f"/customers/{each}/points" for each in told["ids"]],
        "cases": ["/cases"],
        "a case": [f"/cases/{number}" for number in range(1, told["cases"] + 1)],
        "fields": ["/fields"],
        "systems": ["/systems"],
        "programme": ["/programme"],
        "privacy": ["/privacy"],
        "inbox": ["/inbox"],
        "settings": ["/settings"],
        "runs": ["/runs"],
    }


def _deep(visitor: Visitor) -> str:
    """The address of a page of the list that is far from its beginning, by the cursors of those before."""
    path = "/customers"
    for _ in range(DEEP):
        _, page = visitor.open(path)
        _, link, rest = page.decode().partition('rel="next" href="')
        if not link:
            break
        path = rest.partition('"')[0].replace("&amp;", "&")
    return path


def _opened(visitor: Visitor, paths: Sequence[str]) -> list[float]:
    visitor.open(paths[0])
    return [visitor.open(each)[0] for each in _again(paths)]


def _again(some: Sequence[str]) -> list[str]:
    return [some[place % len(some)] for place in range(TURNS)]


def _rate(spent: Sequence[float]) -> float:
    return len(spent) / sum(spent)


def _figure(name: str, database: str, n: int, spent: Sequence[float], baseline: float) -> Figure:
    ordered = sorted(spent)
    p99_ms = ordered[len(ordered) * 99 // 100] * 1000
    middle = ordered[len(ordered) // 2]
    return Figure(f"page: {name}", database, n, _rate(spent), baseline, p99_ms=p99_ms, took_s=middle)


# ---- The door meanwhile ---------------------------------------------------------------------------------------------


def _door(stage: Stage, place: Place, shop: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Figure]:
    with started("web", place=place, bare=False) as web, loaded(web, shop, DELIVERIES) as (load, _port):
        load.go()
        alone = heard(web, load)
    yield alone.figure("door, no page open", stage.database, None)
    with (
        started("web", place=place, bare=False) as web,
        loaded(web, shop, DELIVERIES) as (load, port),
        _visited(port, told),
    ):
        load.go()
        beside = heard(web, load)
    yield beside.figure("door while pages are used", stage.database, alone.rate)


@contextmanager
def _visited(port: int, told: Mapping[str, Any]) -> Iterator[None]:
    """People who open one page after the other until it is over."""
    over = threading.Event()
    visits = [threading.Thread(target=_visit, args=(port, told, over), daemon=True) for _ in range(VISITORS)]
    for each in visits:
        each.start()
        # No two people look at a page at the same moment for long.
        time.sleep(READS_S / VISITORS)
    try:
        yield
    finally:
        over.set()
        for each in visits:
            each.join()


def _visit(port: int, told: Mapping[str, Any], over: threading.Event) -> None:
    visitor = Visitor(port, told["cookie"])
    paths = ["/", "/customers", f"/customers/{told['ids'][0]}", "/cases", "/cases/1"]
    try:
        for path in cycle(paths):
            if over.wait(READS_S):
                break
            visitor.open(path)
    except (OSError, http.client.HTTPException):
        # The web process was ended while somebody was looking at a page.
        over.wait()
    visitor.close()
