"""Pages: how long after it was asked for the first byte of each comes, in a large shop; and the door meanwhile.

The web process is the real one, asked over one connection that stays open. The baseline is `/healthz` over the same
connection, which asks the database nothing. The door is measured alone and while five people use the pages, each of
whom opens another one every second.
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from onewriter.bench.door import Load, gathered, heard, loaded
from onewriter.bench.figures import Figure
from onewriter.bench.parts import started
from onewriter.bench.stage import Place, Stage, connect
from onewriter.customers import sessions
from onewriter.errors import Permanent
from onewriter.web.pages.frame import COOKIE

DEFAULT = 200_000
"""Customers; the promise is for a million."""
TURNS = 40
"""How often each page is opened; of so few, the slowest stands for the 99 of 100."""
VISITORS = 5
"""People who use pages while the door is measured, each of whom opens another page every second."""
READS_S = 1.0
ROUNDS = 3
"""How often the door is measured each way."""
DELIVERIES = 40_000
"""So many that the people open some dozens of pages meanwhile; no more are sent than 15 seconds take."""
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
    for name, paths in _paths(told).items():
        yield _figure(name, database, n, _opened(visitor, paths), baseline)
    yield _figure("search by email", database, n, _searched(visitor, told["emails"]), baseline)
    visitor.close()


def _paths(told: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "overview": ["/"],
        "customers": ["/customers"],
        "customers, deep in the list": [f"/customers?cursor={told['middle']}"],
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


def _searched(visitor: Visitor, emails: Sequence[str]) -> list[float]:
    """How long each search took; who is not found would be looked for in less time."""
    searched = [visitor.open("/customers", {"text": each}) for each in (emails[0], *_again(emails))]
    if not all(b'href="/customers/' in page for _, page in searched):
        raise Permanent("A search by email found nobody, who is there.")
    return [spent for spent, _ in searched[1:]]


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
    """The middle one of some rounds of each, by p99; they take turns, for a machine is not the same for a minute."""
    turns = [(_door_alone(place, shop), _door_beside(place, shop, told)) for _ in range(ROUNDS)]
    alone, beside = (
        sorted(each, key=lambda load: load.p99_ms or 0.0)[ROUNDS // 2] for each in zip(*turns, strict=True)
    )
    yield alone.figure("door, no page open", stage.database, None)
    yield beside.figure("door while pages are used", stage.database, alone.rate)


def _middle(loads: Iterable[Load]) -> Load:
    return sorted(loads, key=lambda load: load.p99_ms or 0.0)[ROUNDS // 2]


def _door_alone(place: Place, shop: Mapping[str, Any]) -> Load:
    with started("web", place=place, bare=False) as web, loaded(web, shop, DELIVERIES) as (load, _port):
        load.go()
        return heard(web, load)


def _door_beside(place: Place, shop: Mapping[str, Any], told: Mapping[str, Any]) -> Load:
    with (
        started("web", place=place, bare=False) as web,
        loaded(web, shop, DELIVERIES) as (load, port),
        visited(port, told) as leave,
    ):
        load.go()
        came = load.hear()
        leave()
        return gathered(came, web)


@contextmanager
def visited(port: int, told: Mapping[str, Any]) -> Iterator[Callable[[], int]]:
    """People who open one page after the other, until they are told to leave: they say then how many they opened.

    Raises Permanent where somebody was not answered, or where nobody came to open any.
    """
    over, pool = threading.Event(), ThreadPoolExecutor(VISITORS)
    # No two people look at the same page at a time.
    visits = [pool.submit(_visit, port, told, over, place) for place in range(VISITORS)]

    def leave() -> int:
        over.set()
        opened = sum(each.result() for each in visits)
        if not opened:
            raise Permanent("Nobody opened a page while the door was measured.")
        return opened

    try:
        yield leave
    finally:
        over.set()
        pool.shutdown()


def _visit(port: int, told: Mapping[str, Any], over: threading.Event, place: int) -> int:
    """One of them, each of whom begins at another page and at another moment; how many pages were opened."""
    paths = ["/", "/customers", f"/customers/{told['ids'][0]}", "/cases", "/cases/1"]
    opened, wait_s = 0, READS_S * place / VISITORS
    visitor = Visitor(port, told["cookie"])
    try:
        while not over.wait(wait_s):
            visitor.open(paths[(place + opened) % len(paths)])
            opened, wait_s = opened + 1, READS_S
    except (OSError, http.client.HTTPException) as error:
        raise Permanent(f"A page was not answered while the door was measured: {type(error).__name__}.") from error
    finally:
        visitor.close()
    return opened
