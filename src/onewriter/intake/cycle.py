"""A cycle: what changed in one system is read and taken in, what its owners say is brought in, what is pending is sent.

The three follow each other, and each is in pieces that land whole: reading never writes an owner's value, so that a
cycle which would change too much can still stop before its first write; and each later piece looks at how things stand
then. So a cycle that dies anywhere is simply followed by another.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from onewriter.connectors.interface import Connector, Deleted, Record, State
from onewriter.customers import findings, remote
from onewriter.customers.findings import Finding
from onewriter.customers.profiles import LIVE
from onewriter.customers.systems import System
from onewriter.db.engine import Database
from onewriter.errors import Permanent
from onewriter.intake import planning, relinking
from onewriter.intake.afterwards import Sent
from onewriter.intake.inbound import bring_in
from onewriter.intake.reading import Reading, comes_in, refuse_change
from onewriter.intake.sender import Sender
from onewriter.intake.take import apart, raw_digest, take
from onewriter.intake.targets import VANISHED_FLOOR, SystemTarget, Target
from onewriter.records import HOUR, Instant

ROWS_FIRST = 50
ROWS_MAX = 500
LOCK_AIM: Instant = 100_000
"""How long one piece should hold SQLite's write lock, in microseconds."""
DUPLICATE = "duplicate record"
"""The kind of finding of a record that a system tells twice, and not the same."""


class TooManyVanished(Permanent):
    """So many records are missing at once that it is rather the reading that is wrong."""


@dataclass(slots=True)
class Cycle:
    """One cycle of one connected system."""

    database: Database
    system: System
    target: SystemTarget
    clock: Callable[[], Instant]
    sleep: Callable[[float], None]
    others: tuple[str, ...]
    """Every system of the shop."""
    give_way: Callable[[], None] = field(default=lambda: None)
    progress: Callable[[int, Counter[str]], None] = field(default=lambda _done, _counts: None)
    counts: Counter[str] = field(default_factory=Counter)
    cursor: State | None = None
    """How far the reading came."""
    _rows: int = ROWS_FIRST
    _done: int = 0

    @property
    def reading(self) -> Reading:
        """What the system is read with."""
        return self.target.reading

    @property
    def connector(self) -> Connector:
        """What reads and writes it."""
        return self.target.connector

    # ---- Reading ----------------------------------------------------------------------------------------------------

    def read(self, state: State | None) -> None:
        """Take in what changed since that state; without one everything, and what is there no more."""
        seen: dict[str, bytes] | None = {} if state is None else None
        for piece in self._pieces(self.connector.read(state)):
            told = piece if seen is None else self._without_twins(piece, seen)
            self._take(told)
            self.give_way()
        if seen is not None:
            self._miss(seen.keys())
        self._relink(0 if seen is not None else self.reading.clean_before or 0)

    def _relink(self, since: Instant) -> None:
        """Look at the records of nobody again, now that others may have come whose they are."""
        after = ""
        while True:
            with self.database.write() as db:
                linked, after = relinking.relink(db, self.reading, self.clock(), after=after, since=since)
            self.counts["linked"] += linked
            if not after:
                return
            self.give_way()

    def read_one(self, ids: Iterable[bytes]) -> None:
        """Take in what the records of these customers say now."""
        self.target.look(list(ids))

    def _pieces(self, told: Iterator[Record | Deleted | State]) -> Iterator[list[Record | Deleted]]:
        piece: list[Record | Deleted] = []
        for each in told:
            if isinstance(each, State):
                self.cursor = each
                continue
            piece.append(each)
            if len(piece) >= self._rows:
                yield piece
                piece = []
        if piece:
            yield piece

    def _take(self, told: list[Record | Deleted]) -> None:
        began = self.clock()
        for some in apart(told):
            with self.database.write() as db:
                self.counts.update(take(db, self.reading, some, began).counts)
        self._rows = self._next_size(self.clock() - began)
        self._done += len(told)
        self.progress(self._done, self.counts)

    def _next_size(self, took: Instant) -> int:
        if not self.database.is_sqlite:
            return ROWS_MAX
        if took < LOCK_AIM // 2:
            return min(ROWS_MAX, self._rows * 2)
        return max(ROWS_FIRST, self._rows * 2 // 3) if took > LOCK_AIM else self._rows

    def _without_twins(self, piece: list[Record | Deleted], seen: dict[str, bytes]) -> list[Record | Deleted]:
        """The records that are told for the first time; of one that is told twice, and not the same, neither word
        counts more than the other, so that the first stays and a person is told.
        """
        fresh: list[Record | Deleted] = []
        for each in piece:
            name = self.reading.vault.key.record_name(self.reading.system, each.id)
            digest = raw_digest(self.reading.vault, each) if isinstance(each, Record) else b""
            if name not in seen:
                seen[name] = digest
                fresh.append(each)
            elif seen[name] != digest:
                self.counts["duplicates"] += 1
                self._report_twin(name)
        return fresh

    def _report_twin(self, name: str) -> None:
        now = self.clock()
        with self.database.write() as db:
            known = remote.glance(db, self.reading.vault.shop_id, self.reading.system, [name]).get(name)
            reason = f"{self.reading.system} has two records of one id that say different things"
            found = Finding(
                DUPLICATE, reason, None if known is None else known.customer_id, system=self.reading.system,
                run_id=self.reading.run_id, evidence={"record": name},
            )  # fmt: skip
            findings.add_once(db, self.reading.vault.shop_id, {bytes.fromhex(name): found}, now)

    def _miss(self, seen: Iterable[str]) -> None:
        """Look for those that the whole reading did not bring; only one that is not found by its id either is gone."""
        shop, system = self.reading.vault.shop_id, self.reading.system
        with self.database.read() as db:
            missing = sorted(remote.every_name(db, shop, system) - set(seen))
            known = len(seen if isinstance(seen, set) else list(seen)) + len(missing)
        if not missing:
            return
        gone: list[Record | Deleted] = []
        for start in range(0, len(missing), ROWS_MAX):
            with self.database.read() as db:
                held = remote.load(db, self.reading.vault, system, missing[start : start + ROWS_MAX])
            ids = {each.id for each in held.values()}
            found = list(self.connector.read_keys(sorted(ids)))
            self._take(list(found))
            gone += [Deleted(each) for each in sorted(ids - {each.id for each in found})]
        if len(gone) > max(VANISHED_FLOOR, known // 100) and "vanished" not in self.system.allowed:
            raise TooManyVanished(
                f"{len(gone)} of {known} records of {system} are missing at once, which looks like a broken reading; "
                f"look there, and then: onewriter systems cycle {system} --allow vanished --why WHY"
            )
        for start in range(0, len(gone), ROWS_MAX):
            self._take(gone[start : start + ROWS_MAX])

    # ---- Planning ---------------------------------------------------------------------------------------------------

    def prepare(self) -> int:
        """Mark whoever has no record in the system to get one; how many there are."""
        if not self.system.creates:
            return 0
        marked, more = 0, ROWS_MAX
        while more == ROWS_MAX:
            with self.database.write() as db:
                more = planning.mark_homeless(
                    db, self.reading.vault.shop_id, self.system.name, tuple(sorted(LIVE)), self.clock(), most=ROWS_MAX
                )
            marked += more
            self.give_way()
        return marked

    def resettle(self) -> None:
        """Look at every linked record anew: the policy has changed since they were."""
        after = ""
        while True:
            with self.database.write() as db:
                after = relinking.resettle_some(db, self.reading, after, ROWS_MAX // 2, self.clock())
            if not after:
                return
            self.give_way()

    # ---- Writing ----------------------------------------------------------------------------------------------------

    def bring_in(self, *, bulk: bool, only: frozenset[bytes] | None = None) -> Counter[str]:
        """Bring in what the owners say; how many values of each field."""
        taken: Counter[str] = Counter()
        ways = comes_in(self.reading.policy, self.system.name)
        after, most = "", ROWS_FIRST
        while True:
            with self.database.read() as db:
                some, after = remote.unclean(db, self.reading.vault.shop_id, self.system.name, ways, after, most)
            if not after:
                return taken
            ids = sorted({customer for customer, _name in some if only is None or customer in only})
            began = self.clock()
            with self.database.write() as db:
                refuse_change(db, self.reading)
                taken += bring_in(db, self.reading, ids, self.others, began, bulk=bulk)
            most = ROWS_FIRST if self.clock() - began > LOCK_AIM else min(ROWS_MAX, most * 2)
            self.give_way()

    def wants_full(self, now: Instant) -> bool:
        """True when everything must be read, whatever its cursor says: no cursor is ever quite complete."""
        full_at = self.system.full_at
        if full_at is None or now - full_at >= self.system.full_hours * HOUR:
            return True
        return self.connector.discover().capabilities.cursor == "none"


def send(
    database: Database,
    target: Target,
    system: System,
    clock: Callable[[], Instant],
    sleep: Callable[[float], None],
    give_way: Callable[[], None],
    until: Instant,
    only: frozenset[bytes] | None = None,
) -> Sent:
    """Send what has been pending for a system, Shopify or another, since before that time."""
    sender = Sender(database, target, system.creates, clock, sleep, until, give_way, only, full_hours=system.full_hours)
    return sender.run()
