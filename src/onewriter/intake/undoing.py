"""Taking a cycle back: whatever it overwrote is put back, here and in the system, where nobody has changed it since.

The field log has what stood there before, sealed, for as long as the settings say. A record that the cycle made stays:
no connector deletes, and nobody's record is at stake. It never commits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.connectors.interface import Applied, FieldPatch, Unchanged
from onewriter.customers import expected, log, pending, profiles, remote
from onewriter.customers.log import Logged, LogLine
from onewriter.db.bulk import in_chunks
from onewriter.db.engine import Database
from onewriter.intake.reading import Reading, open_locked
from onewriter.intake.relinking import settle_again
from onewriter.intake.targets import Target
from onewriter.records import Instant, Path
from onewriter.rules.policy import CONSENTS

AT_ONCE = 200
HERE = (Path.CYCLE, Path.CSV)
"""How values came that a run took up here."""


@dataclass(slots=True)
class Undoing:
    """Takes back what one run wrote."""

    database: Database
    target: Target
    undone_run: str
    others: tuple[str, ...]
    by: str
    dry: bool = False
    """Only count what would be taken back here; nothing is written, and no system is asked."""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def reading(self) -> Reading:
        """What the system is read with."""
        return self.target.reading

    def run(self, now: Instant) -> Counter[str]:
        """Take everything back that can be; how many values were, and how many not, and why."""
        lines = self._lines()
        for start in range(0, len(lines), AT_ONCE):
            some = lines[start : start + AT_ONCE]
            with self.database.write() as db:
                self._restore_here(db, [each for each in some if each.path in HERE], now)
            if not self.dry:
                self._restore_there([each for each in some if each.path is Path.SEND], now)
        return self.counts

    def _lines(self) -> list[Logged]:
        """What the run wrote of which the values are still kept, the last first."""
        found: list[Logged] = []
        after = b""
        while True:
            with self.database.read() as db:
                some = log.of_run(db, self.reading.vault, self.undone_run, AT_ONCE, after)
            if not some:
                return [each for each in reversed(found) if each.accepted]
            found += some
            after = some[-1].id

    def _restore_here(self, db: Connection, lines: Sequence[Logged], now: Instant) -> None:
        """Put the owner's values back that the run brought in, but those that were written anew since."""
        people = open_locked(db, self.reading, {each.customer_id for each in lines}, now)
        loaded = profiles.load(db, self.reading.vault, [one.shopify_id for one in people.values()])
        marks: list[tuple[str, bytes, str]] = []
        told: list[tuple[bytes, Any, LogLine]] = []
        changed = []
        for each in lines:
            person = people.get(each.customer_id)
            profile = None if person is None or not person.live else loaded.get(person.shopify_id)
            if person is None or profile is None or each.new is None or each.old is None:
                self.counts["gone"] += len(each.fields)
                continue
            # A consent is never put back by the thousand: who opted out has opted out.
            free = [name for name in each.fields if name not in CONSENTS]
            self.counts["consents left"] += len(each.fields) - len(free)
            back = {name: each.old.get(name) for name in free if profile.own.get(name) == each.new.get(name)}
            self.counts["undone"] += len(back)
            self.counts["changed since"] += len(free) - len(back)
            if not back or self.dry:
                continue
            profile.own.update(back)
            profile.changed = True
            changed.append(profile)
            undone = {name: each.new.get(name) for name in back}
            line = LogLine(
                tuple(back), Path.UNDO, now, run_id=self.reading.run_id, old=undone, new=back,
                system=self.reading.system, writer=self.by, kept=True,
            )  # fmt: skip
            told.append((person.id, person.key, line))
            systems = [name for name in self.others if name != self.reading.system]
            marks += [(name, person.id, one) for one in back for name in self.reading.policy.told_of(one, systems)]
        if self.dry:
            return
        profiles.save(db, self.reading.vault, {one.shopify_id: one for one in changed}.values(), now)
        # The system says still what was taken back here: that is not in step, and the next cycle must see it.
        held = remote.of_customers(db, self.reading.vault, self.reading.system, list(people))
        settle_again(db, self.reading, [one.name for some in held.values() for one in some], now)
        log.add(db, self.reading.vault.shop_id, told, now, keep_days=self.reading.keep_days)
        pending.mark(db, self.reading.vault.shop_id, marks, now, run_id=self.reading.run_id)

    def _restore_there(self, lines: Sequence[Logged], now: Instant) -> None:
        """Put back in the system what the run overwrote there, where it still holds what the run wrote."""
        ids = sorted({each.customer_id for each in lines})
        if not ids:
            return
        self.target.look(ids)
        maps = self.reading.policy.maps(self.reading.system)
        patches: list[tuple[FieldPatch, int]] = []
        with self.database.write() as db:
            people = open_locked(db, self.reading, ids, now)
            held = self.target.held(db, ids)
            for each in lines:
                record, person = held.get(each.customer_id), people.get(each.customer_id)
                if record is None or person is None or not person.live or not each.old or each.new is None:
                    self.counts["gone" if each.old else "made there"] += len(each.fields)
                    continue
                free = [name for name in each.fields if name not in CONSENTS]
                self.counts["consents left"] += len(each.fields) - len(free)
                back = {
                    maps[name].remote: each.old.get(name)
                    for name in free
                    if name in maps and record.fields.get(maps[name].remote) == each.new.get(name)
                }
                self.counts["changed since"] += len(free) - len(back)
                if back:
                    patch = FieldPatch(
                        key=record.id,
                        set={name: value for name, value in back.items() if value is not None},
                        clear=tuple(name for name, value in back.items() if value is None),
                        if_version=record.version,
                    )
                    patches.append((patch, len(back)))
                    digests = {
                        name: person.key.digest(back[maps[name].remote])
                        for name in each.fields
                        if name in maps and maps[name].remote in back
                    }
                    expected.expect(
                        db, self.reading.vault.shop_id, self.reading.system, {(record.name, person.id): digests}, now,
                        run_id=self.reading.run_id,
                    )  # fmt: skip
        self._write(patches, ids)

    def _write(self, patches: Sequence[tuple[FieldPatch, int]], ids: Sequence[bytes]) -> None:
        size = max(1, self.target.discover().capabilities.batch)
        for some in in_chunks(patches, size):
            outcomes = self.target.write([patch for patch, _count in some])
            for (_patch, count), outcome in zip(some, outcomes, strict=True):
                done = isinstance(outcome, Applied | Unchanged)
                self.counts["undone" if done else "not taken back there"] += count
        self.target.look(ids)
