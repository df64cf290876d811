"""Reconcile: what Shopify has is compared with our sides; what had drifted is reported, and healed.

Rows only nominate, a direct read decides. A row whose digest we know costs one comparison and writes nothing. A run
that is taken over reads a file once more from its beginning, since only a whole file says who is missing; what was
settled before is equal by then, and is not reported twice.
"""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from onewriter.audit import absence
from onewriter.audit.account import NEWEST, SINCE, Account
from onewriter.audit.compare import Ill
from onewriter.audit.direct import READ_AT_ONCE, Direct, Place
from onewriter.audit.nominate import nominate
from onewriter.audit.rejudge import rejudge
from onewriter.audit.settle import ILLS, Mending, Settler
from onewriter.customers import findings, profiles, runs, shops, systems
from onewriter.customers.profiles import Side
from onewriter.customers.runs import FEED, RECENT, RECONCILE, Run
from onewriter.records import DAY, SECOND, SHOPIFY, Change, Instant, RunState
from onewriter.shopify import reads, scopes
from onewriter.shopify.feed import Feed, Piece

ROWS_AT_ONCE = 2_000
LEARNT_MAX = 1_000
OVERLAP: Instant = 15 * 60 * SECOND
"""How far a recent run looks back behind the last one: Shopify's lists lag behind its customers."""


@dataclass(slots=True)
class Reconcile:
    """Reconciles one shop once, in full or what changed lately: an object carries one run."""

    place: Place
    mending: Mending
    wait_hours: int
    stall_minutes: int
    grace: Instant
    """How long a change may take to be delivered before it counts as lost."""
    _wanted: list[int] = field(default_factory=list)
    """Nominated, and not read yet."""
    _learnt: list[tuple[Side, Change]] = field(default_factory=list)
    _listed: "array[int]" = field(default_factory=lambda: array("q"))
    _whole: bool = True
    """False when the first rows were listed for an attempt that is over."""

    def run(self, run: Run) -> Run:
        """Carry a run that was begun to its end, and return it as it ended.

        Raises Superseded when another attempt has it, Temporary errors as they are, and Permanent ones when another try
        will not mend it; what becomes of the run then is the caller's to say.
        """
        scopes.require(reads.survey(self.place.client).scopes, "Grant it and reconcile again.")
        account = Account.of(run)
        direct = Direct(self.place, Settler(self.place.vault, self.mending, run, account.is_dry, self.grace), account)
        feed = self._feed(account)
        fresh = True
        for piece in feed.pieces(lambda: ROWS_AT_ONCE):
            if fresh or not piece.before:
                self._begin(account, piece)
            self._take(account, direct, piece, feed)
            fresh = False
        self._tell(account, direct, feed)
        if run.kind == RECONCILE and feed.complete and self._whole:
            for some in _parts(absence.absent(self.place.database, run.shop_id, self._listed, feed.began)):
                direct.read(some)
        direct.bury()
        if not account.is_dry:
            rejudge(self.place.database, self.place.vault, self.place.clock())
        return self._finish(account, feed)

    def _feed(self, account: Account) -> Feed:
        def keep(state: Mapping[str, Any]) -> None:
            with self.place.database.write() as db:
                account.keep(db, state, self.place.clock())

        if account.run.kind == RECENT and SINCE not in account.checkpoint:
            account.checkpoint[SINCE] = self._since()
        return Feed(
            self.place.client,
            self.place.clock,
            account.checkpoint.get(FEED, {}),
            keep,
            wait_hours=self.wait_hours,
            stall_minutes=self.stall_minutes,
            since=account.checkpoint.get(SINCE),
        )

    def _since(self) -> Instant:
        with self.place.database.read() as db:
            shop = shops.by_id(db, self.place.vault.shop_id)
        first = max(shop.connected_at, self.place.clock() - DAY)
        return (first if shop.recent_to is None else shop.recent_to) - OVERLAP

    def _begin(self, account: Account, piece: Piece) -> None:
        account.begin(piece.before, self.place.clock())
        self._listed, self._whole = array("q"), not piece.before

    def _take(self, account: Account, direct: Direct, piece: Piece, feed: Feed) -> None:
        with self.place.database.read() as db:
            found = nominate(db, self.place.vault, piece)
        account.count(found.counts, piece.before + len(piece.lines))
        account.total = feed.total
        account.checkpoint[NEWEST] = max(found.newest, account.checkpoint.get(NEWEST, 0))
        if not piece.raw:
            account.checkpoint[FEED] = dict(piece.state)
        direct.remember(found.addresses)
        self._listed.extend(found.listed)
        self._wanted += found.ids
        if not account.is_dry:
            self._learnt += found.learnt
        if len(self._wanted) >= READ_AT_ONCE or len(self._learnt) >= LEARNT_MAX or account.is_due(self.place.clock()):
            self._tell(account, direct, feed)

    def _tell(self, account: Account, direct: Direct, feed: Feed) -> None:
        """Settle whom the rows so far have nominated, then say how far the run is: nothing is left behind that."""
        if self._wanted:
            direct.read(self._wanted, listed_at=feed.began)
        now = self.place.clock()
        with self.place.database.write() as db:
            account.count({"learnt": profiles.learn(db, self.place.vault.shop_id, self._learnt)}, account.done)
            account.tell(db, now)
        self._wanted, self._learnt = [], []
        self.place.give_way()

    def _finish(self, account: Account, feed: Feed) -> Run:
        run, now = account.run, self.place.clock()
        with self.place.database.write() as db:
            lacking = _lacking(account, feed)
            if not account.is_dry:
                self._remember(db, account, feed, everybody=not lacking, now=now)
            counts = {**account.rows, **account.outcomes, **_found(db, run), **findings.count_of_run(db, run.id, ILLS)}
            shown = {name: number for name, number in counts.items() if number}
            runs.move(db, run, now, counts=shown, total=account.done)
            runs.finish(db, run, RunState.PARTIAL if lacking else RunState.DONE, lacking or None, now)
            return runs.get(db, run.id)

    def _remember(self, db: Connection, account: Account, feed: Feed, *, everybody: bool, now: Instant) -> None:
        """Write down how far the shop is known to be in step, and what is healed by that."""
        shop = shops.by_id(db, account.run.shop_id)
        findings.heal_hidden(db, shop.id, Ill.UNDELETED.value, now)
        if account.run.kind == RECENT:
            newest = account.checkpoint.get(NEWEST, 0)
            shops.change(db, shop.id, {"recent_to": max(newest, shop.recent_to or 0) or None})
            return
        if feed.complete and self._whole:
            shops.change(db, shop.id, {"full_at": feed.began})
            # What a cycle is to other systems, a full reconcile is to Shopify.
            if everybody:
                systems.change(db, shop.id, SHOPIFY, now, cycle_at=feed.began, full_at=feed.began)
        if everybody:
            findings.heal_earlier(db, shop.id, account.run.id, ILLS, now)
            if not account.outcomes["held_back"]:
                absence.withdraw(db, shop.id, now)


def _found(db: Connection, run: Run) -> dict[str, int]:
    """What came of the customers that differed, by what is written down: so that nobody counts twice after a crash."""
    found = findings.customers_of_run(db, run.id, ILLS)
    return {
        "different": sum(found.values()),
        "missing": sum(number for (kind, _healed), number in found.items() if kind == Ill.MISSING),
        "absent": sum(number for (kind, _healed), number in found.items() if kind == Ill.UNDELETED),
        "healed": sum(number for (_kind, healed), number in found.items() if healed),
    }


def _lacking(account: Account, feed: Feed) -> str:
    """Who was not compared, in words; empty when everybody was."""
    unread = account.outcomes["unread"] + feed.unread
    told = []
    if account.run.kind == RECONCILE and not feed.complete:
        told.append(f"{feed.note or 'The file was not whole.'} So nobody could be looked for who is missing.")
    if account.rows["unreadable"]:
        told.append(f"{account.rows['unreadable']} rows could not be read.")
    if unread:
        told.append(f"{unread} customers were hidden by errors of Shopify's.")
    return " ".join(told)


def _parts(numbers: Iterator[int]) -> Iterator[list[int]]:
    while some := list(islice(numbers, READ_AT_ONCE)):
        yield some
