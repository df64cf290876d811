"""Every customer of a shop, in pieces: by one bulk operation where that can be had, by pages where it cannot.

A bulk operation is asked for once, waited for, and its file read by byte offset. One that is refused, stands still or
fails, and a file that holds other than what was announced, lose nobody: what the file has is handed out, for it is as
true as anything, and then all customers are read by pages, those that changed longest ago first. A customer that
changes meanwhile moves to the end of that order and only comes again.

Where it stands is a small JSON document, which the caller keeps. Whoever begins with it goes on from there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from onewriter.errors import BulkRefused, NotUnderstood, ShopifyRefused
from onewriter.records import HOUR, SECOND, Instant
from onewriter.shopify import bulk, nodes, reads
from onewriter.shopify.bulk import BulkBusy, BulkGone, BulkOperation
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import Page

MINUTE: Instant = 60 * SECOND
PAGES = "pages"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some customers, and where the feed stands behind them."""

    lines: list[bytes]
    """Each one customer as JSON of our selection, to be read by `change_from_bulk_line`."""
    began: Instant
    """What the lines say is at least as new as this."""
    denied: frozenset[str]
    """The paths inside a customer that the token was refused."""
    before: int
    """The lines that came before, of the same file or walk: 0 once more where reading starts anew."""
    state: Mapping[str, Any]
    """Where the feed stands once these lines are dealt with; to be kept in the transaction that deals with them."""
    raw: bool
    """True for lines as Shopify wrote them into a file, whose digest tells them again."""


class Feed:
    """Reads all customers of one shop, or with `since` those that were changed at that second or later.

    `state` is what was kept last, empty at the beginning. `keep` writes a state down at once, before anything relies on
    it; the states of pieces are the caller's to keep. What either raises passes through.
    """

    def __init__(
        self,
        client: AdminClient,
        clock: Callable[[], Instant],
        state: Mapping[str, Any],
        keep: Callable[[Mapping[str, Any]], None],
        *,
        wait_hours: int,
        stall_minutes: int,
        since: Instant | None = None,
    ) -> None:
        self.total: int | None = None
        """How many customers there are, once that is known: what the operation announced, or what Shopify counted."""
        self.complete = False
        """True at the end if nobody who was there when it began can be missing: a whole file, never pages."""
        self._client, self._clock = client, clock
        self._state, self._write = dict(state), keep
        self._wait: Instant = wait_hours * HOUR
        self._stall: Instant = stall_minutes * MINUTE
        self._since = since

    @property
    def began(self) -> Instant:
        """When the reading began that the pieces now come from; known from the first piece on."""
        return int(self._state["began"])

    @property
    def note(self) -> str | None:
        """Why it was not read in bulk, in a sentence for people; None where it was."""
        return self._state.get("note")

    @property
    def by_pages(self) -> bool:
        """True when the pieces come, or came at last, from pages."""
        return self._since is not None or self._state.get("source") == PAGES

    @property
    def unread(self) -> int:
        """Customers that errors of Shopify's hid on pages; nothing is known of them."""
        return int(self._state.get("unread", 0))

    def pieces(self, at_most: Callable[[], int]) -> Iterator[Piece]:
        """Every customer, never more in a piece than `at_most` says when it is made; only once.

        Temporary errors pass as they are, BulkBusy among them: begin again later with what was kept last. So do
        TokenRefused and ScopeMissing, and what Shopify says no to when pages are asked for.
        """
        while not self.by_pages and not self.complete:
            try:
                yield from self._file(self._ended(), at_most)
            except BulkGone as error:
                self._renew(str(error))
            except (BulkRefused, ShopifyRefused, NotUnderstood) as error:
                self._turn_to_pages(str(error))
        if self.by_pages:
            yield from self._walk(at_most)

    def _keep(self, **changes: Any) -> None:
        self._state = {**self._state, **changes}
        self._write(self._state)

    def _turn_to_pages(self, why: str) -> None:
        self._state = {}
        self._keep(source=PAGES, note=why)

    def _renew(self, why: str) -> None:
        """Ask for another operation, once."""
        if "renewed" in self._state:
            self._turn_to_pages(why)
        else:
            self._state = {}
            self._keep(renewed=True)

    # ---- The bulk operation ------------------------------------------------------------------------------------------

    def _ended(self) -> BulkOperation:
        """The operation, over or given up; why it is no good is kept in the note."""
        if "operation" not in self._state:
            self._ask()
        if "note" in self._state:
            return bulk.read_operation(self._client, self._state["operation"])
        deadline = self._state["asked"] + self._wait
        operation = bulk.wait(self._client, self._state["operation"], deadline=deadline, enough=self._stands_still)
        if not operation.is_over:
            self._keep(note=self._patience(operation))
            return bulk.cancel(self._client, operation)
        if operation.status in ("FAILED", "CANCELED"):
            code = f" ({operation.error_code})" if operation.error_code else ""
            self._keep(note=f"Shopify's bulk operation ended as {operation.status.lower()}{code}.")
        return operation

    def _ask(self) -> None:
        """Have an operation under way and its id written down: a new one, or one that a dead worker asked for."""
        operation = None
        if "asked" in self._state:
            # Between asking and writing the id down: what was started runs without an owner.
            operation = bulk.started_since(self._client, self._state["asked"])
        else:
            self._keep(asked=self._clock())
        try:
            operation = operation or bulk.start_customers(self._client)
        except BulkBusy:
            self._have_patience()
            raise
        self._keep(operation=operation.id)

    def _have_patience(self) -> None:
        """There is no room for an operation: raise BulkRefused once that has lasted."""
        busy = self._state.get("busy", self._clock())
        if self._clock() - busy >= self._stall:
            raise BulkRefused(f"Shopify had no room for a bulk operation for {self._stall // MINUTE} min.")
        self._state = nodes.without(self._state, "asked")
        self._keep(busy=busy)

    def _stands_still(self, operation: BulkOperation) -> bool:
        """True when nothing has moved for too long; each move is written down, so that no restart forgives it."""
        seen, now = [operation.status, operation.object_count], self._clock()
        looked = self._state.get("looked", [None, 0, 0])
        if looked[:2] == seen:
            return bool(now - looked[2] >= self._stall)
        self._keep(looked=[*seen, now])
        return False

    def _patience(self, operation: BulkOperation) -> str:
        if self._stands_still(operation):
            return f"Shopify's bulk operation stood still for {self._stall // MINUTE} min."
        return f"Shopify's bulk operation was not done within {self._wait // HOUR} h."

    def _file(self, operation: BulkOperation, at_most: Callable[[], int]) -> Iterator[Piece]:
        """What the operation left, whole or not; raises BulkRefused behind the last line unless it is whole."""
        if operation.status == "EXPIRED":
            raise BulkGone("The bulk file had expired before it was read.")
        self._state = {**self._state, "began": operation.created}
        url = operation.partial_url if self.note else operation.url
        if url:
            denied = reads.denied_paths(self._client)
            self.total = self._count() if self.note else operation.object_count
            yield from self._lines(url, operation.created, denied, at_most)
        if self.note:
            raise BulkRefused(self.note)
        held = self._state.get("lines", 0)
        if held != operation.object_count:
            raise BulkRefused(f"The bulk file holds {held} customers, but Shopify announced {operation.object_count}.")
        self.total, self.complete = operation.object_count, True

    def _lines(self, url: str, began: Instant, denied: frozenset[str], at_most: Callable[[], int]) -> Iterator[Piece]:
        offset, before = self._state.get("offset", 0), self._state.get("lines", 0)
        stream = self._client.stream_lines(url, offset)
        try:
            while chunk := list(islice(stream, at_most())):
                offset += sum(map(len, chunk)) + len(chunk)
                lines = list(filter(None, chunk))
                self._state = {**self._state, "offset": offset, "lines": before + len(lines)}
                yield Piece(lines, began, denied, before, self._state, raw=True)
                before += len(lines)
        except ShopifyRefused:
            if self.note:
                raise BulkRefused(self.note) from None
            raise BulkGone("The bulk file was gone, or its link had expired, before it was read to its end.") from None

    # ---- Pages -------------------------------------------------------------------------------------------------------

    def _walk(self, at_most: Callable[[], int]) -> Iterator[Piece]:
        while "over" not in self._state:
            asked = self._clock()
            self._state = {"began": asked, **self._state}
            if self._since is None:
                self.total = self._count()
            yield from self._pieces_of(self._page(at_most()), asked)

    def _count(self) -> int:
        return self.total if self.total is not None else reads.count_customers(self._client)

    def _page(self, most: int) -> Page:
        def read(since: Instant | None, after: str | None) -> Page:
            return reads.read_page(self._client, most, since=since, after=after)

        page, self._state = nodes.turn(read, self._state, self._since)
        return page

    def _pieces_of(self, page: Page, asked: Instant) -> Iterator[Piece]:
        """A page as pieces, one for each set of fields refused; only the last moves the state."""
        start, before = self._state, self._state.get("lines", 0)
        rows = list(page.rows.items())
        self._state = self._behind(page, before + sum(len(lines) for _denied, lines in rows))
        for place, (denied, lines) in enumerate(rows, 1):
            yield Piece(lines, asked, denied, before, self._state if place == len(rows) else start, raw=False)
            before += len(lines)

    def _behind(self, page: Page, lines: int) -> dict[str, Any]:
        """The state behind a page of so many lines in all."""
        return nodes.behind(page, {**self._state, "lines": lines, "unread": self.unread + page.unread})
