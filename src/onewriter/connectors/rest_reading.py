"""Reading a REST system: page by page, by ids, by keys. Every request here may be asked again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from onewriter.connectors.http import Reply, Way
from onewriter.connectors.interface import Record
from onewriter.connectors.rest_paths import MISSING, fill, fill_path, fill_query, look, parse_path
from onewriter.connectors.rest_recipe import Delta, Lookup, Paging, Place, Reading, Recipe, Request
from onewriter.connectors.rest_values import FieldGone, record_of, write_time
from onewriter.errors import SystemChanged, SystemRefused, SystemUnreachable
from onewriter.records import Instant

PAGES_MAX = 200_000
GONE = (404, 410)
COUNTED = ("offset", "page", "keyset")
"""Ways of paging in which the answer does not tell whether there is another page."""
ROWS_MAX = 1000
"""Records of one key; a key that more of them share tells nobody apart."""


@dataclass
class Reader:
    """What of a system is read: the wanted fields, through one way."""

    recipe: Recipe
    way: Way
    settings: Mapping[str, str]
    places: Sequence[Place]
    asks: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        wanted = (*self.recipe.record.ask, *(ask for place in self.places for ask in place.ask))
        self.asks = tuple(dict.fromkeys(wanted))

    def ask(self, request: Request, known: Mapping[str, Any]) -> Reply:
        """Send one request with its gaps filled; 404 and 410 are answers, other refusals are raised."""
        prefix = getattr(request, "ask_prefix", "")
        filled = {**self.settings, "names": [prefix + name for name in self.asks], **known}
        body = None if request.body is None else fill(request.body, filled)
        query = fill_query(request.query, filled)
        return self._asked(request.method, fill_path(request.path, filled), query, body)

    def _asked(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> Reply:
        try:
            reply = self.way.read(method, path, query=query, body=body)
        except SystemUnreachable as error:
            name = self._named_in(self.way.last_reply)
            if name is None:
                raise
            raise FieldGone(name) from error
        if reply.fine or reply.status in GONE:
            return reply
        name = self._named_in(reply)
        if name is not None:
            raise FieldGone(name)
        raise SystemRefused(f"The system does not take our question ({reply.status}); check the recipe and the fields.")

    def _named_in(self, reply: Reply | None) -> str | None:
        """The wanted field that a failure says is not there."""
        form = self.recipe.errors.unknown_field
        if form is None or reply is None:
            return None
        text = reply.body[:20_000].decode("utf-8", "replace")
        for place in self.places:
            names = {place.field.name, *place.ask, *(ask.rpartition(".")[2] for ask in place.ask)}
            if any(form.replace("{name}", name) in text for name in names):
                return place.field.name
        return None

    # ---- Pages ------------------------------------------------------------------------------------------------------

    def records(self, since: Instant | None) -> Iterator[Record]:
        """Every record, or those that changed since a time."""
        delta = self.recipe.delta
        if since is None or delta is None:
            yield from self._pages(self.recipe.read, {})
        elif delta.rows_max is None:
            yield from self._pages(delta, {"since": write_time(since, delta.since)})
        else:
            yield from self._stretches(delta, delta.rows_max, since)

    def _stretches(self, delta: Delta, rows_max: int, since: Instant) -> Iterator[Record]:
        """A system that gives only so many records to one question is asked again from the last one's time on."""
        while True:
            count, last = 0, since
            for record in self._pages(delta, {"since": write_time(since, delta.since)}):
                yield record
                count, last = count + 1, record.changed if record.changed is not None else last
                if count >= rows_max:
                    break
            else:
                return
            if last <= since:
                raise SystemRefused("More records changed at one time than the system tells of; read everything anew.")
            since = last

    def _pages(self, reading: Reading, known: Mapping[str, Any]) -> Iterator[Record]:
        """The records page by page. Where pages are counted, an empty one alone is the end: a short one is no end for
        a system that gives fewer than it is asked for, or that leaves some out.
        """
        paging = reading.paging
        first = {"limit": paging.size, "offset": 0, "page": 1, "after": 0, "cursor": None, "address": None}
        place: dict[str, Any] = first
        told: list[str] = []
        for _ in range(PAGES_MAX):
            address = place["address"]
            reply = self.ask(reading, {**known, **place}) if address is None else self._asked("GET", address)
            if not reply.fine:
                raise SystemRefused("The system has no list of records at that address; check the recipe.")
            document = reply.json()
            rows = rows_of(document, reading.rows)
            page = [self.record(row) for row in rows]
            if paging.kind in COUNTED and page and [each.id for each in page] == told:
                break
            yield from page
            told = [each.id for each in page]
            before, place = place, self._following(paging, document, rows, place)
            if not place:
                return
            if place == before:
                break
        raise SystemUnreachable("The system's pages lead nowhere new and do not end; look at the recipe's paging.")

    def _following(self, paging: Paging, document: Any, rows: Sequence[Any], place: dict[str, Any]) -> dict[str, Any]:
        """What the next page is asked with; empty after the last one."""
        told = _told(document, paging) if paging.kind in ("next", "token") else None
        if told is not None:
            return {**place, "cursor": told, "address": self._whole(told) if paging.kind == "next" else None}
        if paging.kind not in COUNTED or not rows:
            return {}
        after = look(rows[-1], parse_path(self.recipe.record.id))
        return {**place, "offset": place["offset"] + len(rows), "page": place["page"] + 1, "after": after}

    def _whole(self, address: str) -> str:
        try:
            return urljoin(self.way.base_url, address)
        except ValueError:
            raise SystemRefused("The system names a next page that is no address; check the recipe.") from None

    def record(self, row: Any, strict: bool = True) -> Record:
        """The record in one row."""
        return record_of(self.recipe, self.places, row, strict)

    # ---- Keys -------------------------------------------------------------------------------------------------------

    def looked_up(self, lookup: Lookup, values: Sequence[str]) -> Iterator[Any]:
        """The documents of the records that a lookup finds for values; who is not there is left out."""
        for start in range(0, len(values), lookup.batch):
            some = list(values[start : start + lookup.batch])
            reply = self.ask(lookup, {"values": some, "value": some[0], "id": some[0], "limit": ROWS_MAX})
            if reply.fine:
                document = reply.json()
                yield from [document] if lookup.rows is None else rows_of(document, lookup.rows)
            elif not names_one_missing(reply) or lookup.rows is not None:
                raise SystemRefused(f"The system has nothing to be asked there ({reply.status}); check the recipe.")


def names_one_missing(reply: Reply) -> bool:
    """True if the system itself says that it has no such record. Raises SystemUnreachable for the page of a gateway,
    which says the same of everything while the system is away.
    """
    if reply.body.strip():
        reply.json()
    return reply.status in GONE


def rows_of(document: Any, path: str) -> list[Any]:
    """The list of records in an answer; SystemChanged if there is none, which must never look like an empty system."""
    rows = look(document, parse_path(path))
    if not isinstance(rows, list):
        raise SystemChanged("The system's answer has no list of records where the recipe says; check the recipe.")
    return rows


def _told(document: Any, paging: Paging) -> str | None:
    """The next page's address or token, as the answer tells it."""
    told = look(document, parse_path(paging.at))
    return None if told is MISSING or told in (None, "") else str(told)
