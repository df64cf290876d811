"""How the customers of a case stand now, as the same comparison sees them that audits go by.

Only what was written since the fix counts as its history: an edit that was taken back before it tells nothing of it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from onewriter.audit import gathering, proofs
from onewriter.audit.cases import Case
from onewriter.customers import pending
from onewriter.customers.shops import Shop
from onewriter.customers.systems import System
from onewriter.db.casetables import case_rows
from onewriter.records import Instant
from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import Evidence, Side
from onewriter.rules.diagnosis.facts import Pair, Row, Why
from onewriter.rules.diagnosis.mapped import origin_of
from onewriter.rules.diagnosis.returning import other_writer, returns_because
from onewriter.rules.diagnosis.scope import SHARE_MIN, came_back, share
from onewriter.rules.diagnosis.survivor import kept_by, name_of, scored
from onewriter.rules.evidence import Evidence as Bounds
from onewriter.vault.vault import ShopVault


@dataclass(frozen=True, slots=True)
class Found:
    """Whether something is as it should be, and what was seen, in a sentence without values."""

    is_right: bool
    told: str
    is_underway: bool = False
    """Whether nothing can be said yet: an edit is younger than one cycle, and on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a case, then and now, by digests."""

    customer_id: bytes
    origin: Side
    right: bytes
    """What the origin said when it was found."""
    wrong: bytes
    """What the copy said."""
    source_now: bytes
    target_now: bytes

    @property
    def is_wrong_on_both(self) -> bool:
        """Whether the wrong value was carried to the side that was right: the two agree, and on the wrong thing."""
        return self.right != self.wrong and self.source_now == self.target_now == self.wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look at a case's customers found."""

    at: Instant
    evidence: Evidence
    rows: Sequence[Row]
    """What differs, or was fought over since the fix, in the fields of the case."""
    odd: Sequence[Pair]
    """Linked records of which something is odd about the link."""
    customers: Mapping[str, bytes]
    """Source id: our id of the customer. Who was erased meanwhile is not among them."""
    values: Sequence[Value]
    pending: frozenset[tuple[bytes, str]]
    """Customer and field: what the system is still to be told."""

    def wrong(self, people: Collection[bytes]) -> Found:
        """Whether anything of these customers is wrong in the fields of the case."""
        there = {*people} & {*self.customers.values()}
        underway = {self.customers[row.pair.link.source] for row in self.rows if self._is_underway(row)} & there
        wrong = {self.customers[row.pair.link.source] for row in self.rows if not self._is_underway(row)} & there
        wrong |= {each.customer_id for each in self.values if each.is_wrong_on_both} & there
        if not wrong and underway:
            told = f"{_customers(len(there))} looked at; of {len(underway):,} an edit is on its way."
            return Found(True, told, is_underway=underway == there)
        if not wrong:
            return Found(True, f"{_customers(len(there))} looked at, and all agree.")
        return Found(False, f"Still wrong: {len(wrong):,} of {_customers(len(there))}. {self.returns}".rstrip())

    def _is_underway(self, row: Row) -> bool:
        """Whether a difference is an edit that no cycle has had the time to carry over yet."""
        customer = self.customers[row.pair.link.source]
        is_marked = not self.pending.isdisjoint({(customer, row.rules.name), (customer, pending.ALL)})
        is_young = is_marked or (row.age is not None and row.age < 1)
        return row.why is Why.DIFFERS and is_young and not came_back(row)

    def doubled(self, people: Collection[bytes]) -> Found:
        """Whether any of these customers has a second record there."""
        twice = {
            self.customers[pair.link.source]
            for pair in self.odd
            if pair.link.source in self.customers and (pair.twins or pair.other_targets)
        } & {*people}
        if not twice:
            return Found(True, f"None of {_customers(len(people))} has a second record.")
        return Found(False, f"A second record: {len(twice):,} of {_customers(len(people))}.")

    @property
    def returns(self) -> str:
        """Who writes the wrong value, or by what setting it comes back (requirement M79)."""
        if not self.rows:
            return ""
        is_refused = share(self.rows, lambda row: row.last_refused is not None) > SHARE_MIN
        if not is_refused and other_writer(self.rows) is None and share(self.rows, came_back) < SHARE_MIN:
            return "Nobody has written it back: what was done has not reached it."
        return returns_because(self.rows, self.evidence)

    def survived(self, predicted: str | None) -> bool | None:
        """Whether the system that was predicted to win has won, by most of the values; None where neither moved."""
        kept = Counter(filter(None, map(self._kept_by, self.values)))
        return scored(predicted, kept.most_common(1)[0][0]) if kept else None

    def _kept_by(self, each: Value) -> str | None:
        before = (each.right, each.wrong) if each.origin is Side.SOURCE else (each.wrong, each.right)
        return kept_by(
            name_of(self.evidence, Side.SOURCE),
            name_of(self.evidence, Side.TARGET),
            source_changed=each.source_now != before[0],
            target_changed=each.target_now != before[1],
            agree=each.source_now == each.target_now,
        )


def _customers(count: int) -> str:
    return "1 customer" if count == 1 else f"{count:,} customers"


def examine(
    db: Connection,
    vault: ShopVault,
    shop: Shop,
    system: System,
    bounds: Bounds,
    case: Case,
    people: Collection[bytes],
    now: Instant,
) -> Seen:
    """Look at these customers in the fields of a case; beside them some are opened that are in step."""
    fields = {*case.told["fields"]}
    chosen = gathering.choose(db, vault, system.name, now, only=people)
    gathered = gathering.gather(db, vault, shop, system, bounds, now, chosen=chosen, counted=False)
    evidence = proofs.since(gathered.evidence, dict.fromkeys(fields, case.fixed_at) if case.fixed_at else {})
    compared = compare(evidence)
    return Seen(
        at=now,
        evidence=evidence,
        rows=[row for row in compared.rows if row.rules.name in fields],
        odd=compared.odd,
        customers=gathered.customers,
        values=_values(db, vault, case, evidence, gathered),
        pending=frozenset(
            (each.customer_id, each.field) for each in pending.of_customers(db, shop.id, system.name, sorted(people))
        ),
    )


def _values(
    db: Connection, vault: ShopVault, case: Case, evidence: Evidence, gathered: gathering.Gathered
) -> list[Value]:
    """The values of the case whose record is still there, then and now."""
    sources = {customer: source for source, customer in gathered.customers.items()}
    targets = {name: record for record, name in gathered.records.items()}
    theirs = (case_rows.c.shop_id == case.shop_id, case_rows.c.number == case.number)
    rows = db.execute(select(case_rows).where(*theirs)).all()
    keys = vault.keys.subject_keys({bytes(row.customer_id) for row in rows} & {*sources}, leave_destroyed=True)
    found = []
    for row in rows:
        customer, rules = bytes(row.customer_id), (evidence.fields or {}).get(row.field)
        if customer not in keys or row.record_id not in targets or rules is None or row.wrong_digest is None:
            continue
        key, here = keys[customer], evidence.records[Side.SOURCE][sources[customer]].fields
        there = evidence.records[Side.TARGET][targets[row.record_id]].fields
        found.append(
            Value(
                customer_id=customer,
                origin=origin_of(rules, evidence),
                right=bytes(row.right_digest),
                wrong=bytes(row.wrong_digest),
                source_now=key.digest(here.get(rules.source_field)),
                target_now=key.digest(there.get(rules.target_field)),
            )
        )
    return found
