"""What an audit found is taken into the cases: new ones are opened, open ones grow, and what is gone is noted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from onewriter.audit import cases as kept
from onewriter.audit.cases import Case
from onewriter.audit.gathering import Gathered
from onewriter.customers import shops
from onewriter.db.bulk import in_chunks
from onewriter.db.casetables import case_rows, cases
from onewriter.records import Instant
from onewriter.rules.diagnosis.advice import limits_of
from onewriter.rules.diagnosis.facts import Row
from onewriter.rules.diagnosis.judgement import CaseOf, FixTarget
from onewriter.rules.diagnosis.proof import State
from onewriter.vault.seal import SubjectKey
from onewriter.vault.vault import ShopVault

BY = "onewriter"
GONE = "gone by itself"

Key = tuple[bytes, str, str]
"""Our id of the customer, the keyed name of the record, and the field."""


@dataclass(slots=True)
class _Taking:
    """One audit's findings, on their way into the cases."""

    db: Connection
    vault: ShopVault
    system: str
    run_id: str
    gathered: Gathered
    now: Instant
    next_number: int

    @property
    def shop_id(self) -> int:
        return self.vault.shop_id


def take(
    db: Connection,
    vault: ShopVault,
    system: str,
    run_id: str,
    found: Sequence[CaseOf],
    gathered: Gathered,
    now: Instant,
) -> None:
    """Take the cases of a diagnosis into those of its system, in the transaction that keeps the audit.

    Where only a sample was opened, nothing is called gone for not being found.
    """
    shops.locked(db, vault.shop_id)
    taking = _Taking(db, vault, system, run_id, gathered, now, kept.next_number(db, vault.shop_id))
    known = {case.number: case for case in kept.open_of(db, vault.shop_id, system)}
    held = _rows_of(taking, known)
    for one in found:
        rows = _keyed(taking, one.group.rows)
        # Where there is nothing to mend, a case would wait for somebody for ever: the next cycle settles it.
        if not rows or one.advice.fix_target is FixTarget.NOTHING:
            continue
        affected, same = len({customer for customer, _record, _field in rows}), _same(one, rows, known, held)
        if not same:
            _add_rows(taking, _open(taking, one, affected), rows)
            continue
        number = same[0]
        _grow(taking, known.pop(number), one, affected)
        _join(taking, number, [known.pop(each) for each in same[1:]])
        _keep_rows(taking, number, rows)
    if not gathered.is_sample:
        for case in known.values():
            _gone(taking, case)


def _rows_of(taking: _Taking, known: Mapping[int, Case]) -> dict[int, set[Key]]:
    held: dict[int, set[Key]] = {number: set() for number in known}
    columns = (case_rows.c.number, case_rows.c.customer_id, case_rows.c.record_id, case_rows.c.field)
    theirs = (case_rows.c.shop_id == taking.shop_id, case_rows.c.gone_at.is_(None))
    for chunk in in_chunks(sorted(known)):
        for number, customer, record, field in taking.db.execute(
            select(*columns).where(*theirs, case_rows.c.number.in_(list(chunk)))
        ):
            held[number].add((bytes(customer), record, field))
    return held


def _keyed(taking: _Taking, rows: Iterable[Row]) -> dict[Key, Row]:
    """The rows by what they are called here; one whose customer or record is not there any more is left out."""
    people, records = taking.gathered.customers, taking.gathered.records
    keyed: dict[Key, Row] = {}
    for row in rows:
        source, target, field = row.key
        if source in people and target in records:
            keyed[people[source], records[target], field] = row
    return keyed


def _same(found: CaseOf, rows: Mapping[Key, Row], known: Mapping[int, Case], held: Mapping[int, set[Key]]) -> list[int]:
    """The open cases that this is, oldest first: those with a row of it, else the one of its field and cause."""
    overlapping = [number for number in known if not held[number].isdisjoint(rows)]
    if overlapping:
        return overlapping
    cause = _cause(found)
    alike = (each.number for each in known.values() if (each.field, each.cause) == (found.group.name, cause))
    return list(alike)[:1]


def _cause(found: CaseOf) -> str | None:
    return found.group.causes[0].cause if found.group.causes else None


def _head(taking: _Taking, found: CaseOf, affected: int) -> dict[str, Any]:
    return {
        "field": found.group.name,
        "cause": _cause(found),
        "asserted": found.group.asserted,
        "scope_row": found.scope_row.value,
        "fix_target": found.advice.fix_target.value,
        "affected": affected,
        "told": told_of(found),
        "looked_at": taking.now,
        "looked_by": taking.run_id,
    }


def _open(taking: _Taking, found: CaseOf, affected: int) -> int:
    number = taking.next_number
    taking.next_number += 1
    state = State.DIAGNOSED if found.group.asserted else State.OPEN
    taking.db.execute(
        insert(cases).values(
            shop_id=taking.shop_id, number=number, system=taking.system, state=state.value, opened_at=taking.now,
            opened_by=taking.run_id, returns=0, predicted=found.survivor.side, predicted_at=taking.now,
            **_head(taking, found, affected),
        )
    )  # fmt: skip
    kept.note(taking.db, taking.shop_id, number, "opened", BY, found.scope, taking.now)
    return number


def _grow(taking: _Taking, case: Case, found: CaseOf, affected: int) -> None:
    """Tell an open case anew. How far it is stays, but for one that nobody did anything about yet."""
    head = _head(taking, found, affected)
    if case.state in (State.OPEN, State.DIAGNOSED):
        head["state"] = (State.DIAGNOSED if found.group.asserted else State.OPEN).value
    if case.state is State.VERIFIED:
        head |= {"state": State.RETURNED.value, "returned_at": taking.now, "returns": case.returns + 1}
        kept.note(taking.db, taking.shop_id, case.number, "returned", BY, f"It came back: {found.scope}", taking.now)
    theirs = (cases.c.shop_id == taking.shop_id, cases.c.number == case.number)
    taking.db.execute(update(cases).where(*theirs).values(**head))
    if affected > case.affected:
        told = f"Customers affected: {affected:,}, {case.affected:,} before."
        kept.note(taking.db, taking.shop_id, case.number, "grew", BY, told, taking.now)


def _join(taking: _Taking, number: int, others: Iterable[Case]) -> None:
    """Make cases a part of another whose cause explains their rows too."""
    for other in others:
        told = f"A part of case {number}."
        kept.end(taking.db, taking.shop_id, [other.number], State.JOINED, BY, told, taking.now, joined_to=number)
        kept.note(taking.db, taking.shop_id, other.number, "joined", BY, told, taking.now)
        _set_gone(taking, other.number)


def _gone(taking: _Taking, case: Case) -> None:
    """Note that nothing of a case was found; it ends only if nobody had begun to mend it."""
    _set_gone(taking, case.number)
    if case.state in (State.OPEN, State.DIAGNOSED):
        kept.end(taking.db, taking.shop_id, [case.number], State.CLOSED, BY, GONE, taking.now)
        kept.note(taking.db, taking.shop_id, case.number, "closed", BY, GONE, taking.now)


def _set_gone(taking: _Taking, number: int) -> None:
    theirs = (case_rows.c.shop_id == taking.shop_id, case_rows.c.number == number, case_rows.c.gone_at.is_(None))
    taking.db.execute(update(case_rows).where(*theirs).values(gone_at=taking.now))


def _keep_rows(taking: _Taking, number: int, rows: Mapping[Key, Row]) -> None:
    """Write down which rows are wrong now; those that were and are not any more are noted as gone."""
    theirs = (case_rows.c.shop_id == taking.shop_id, case_rows.c.number == number)
    columns = (case_rows.c.customer_id, case_rows.c.record_id, case_rows.c.field)
    there = {(bytes(one), record, field) for one, record, field in taking.db.execute(select(*columns).where(*theirs))}
    if not taking.gathered.is_sample:
        _set_gone(taking, number)
    still = [dict(zip(("b_customer", "b_record", "b_field"), key, strict=True)) for key in sorted(there & rows.keys())]
    same = [
        column == bindparam(name) for column, name in zip(columns, ("b_customer", "b_record", "b_field"), strict=True)
    ]
    if still:
        taking.db.execute(update(case_rows).where(*theirs, *same).values(seen_at=taking.now, gone_at=None), still)
    _add_rows(taking, number, {key: row for key, row in rows.items() if key not in there})


def _add_rows(taking: _Taking, number: int, rows: Mapping[Key, Row]) -> None:
    for chunk in in_chunks(sorted(rows)):
        keys = taking.vault.keys.subject_keys({customer for customer, _, _ in chunk}, leave_destroyed=True)
        taking.db.execute(insert(case_rows), [_row(taking, number, key, rows[key], keys) for key in chunk])


def _row(taking: _Taking, number: int, key: Key, row: Row, keys: Mapping[bytes, SubjectKey]) -> dict[str, Any]:
    customer, record, field = key
    subject = keys.get(customer)
    return {
        "shop_id": taking.shop_id, "number": number, "customer_id": customer, "record_id": record, "field": field,
        "found_at": taking.now, "seen_at": taking.now,
        "wrong_digest": None if subject is None else subject.digest(row.copy_value),
        "right_digest": None if subject is None else subject.digest(row.origin_value),
    }  # fmt: skip


def told_of(case: CaseOf) -> dict[str, Any]:
    """A case in sentences, by the names that `onewriter diagnose` uses; who is concerned stands in its rows."""
    group, advice, limits = case.group, case.advice, limits_of(case)
    return {
        "fields": list(group.fields),
        "systems": list(case.systems),
        "scope": case.scope,
        "identity": case.identity,
        "owner": case.owner,
        "write_order": case.write_order,
        "causes": [
            asdict(each) | {"evidence": list(each.evidence), "missing": list(each.missing)} for each in group.causes
        ],
        "first_move": advice.first_move,
        "not_to_do": advice.not_to_do,
        "action": advice.action,
        "may_write": advice.may_write,
        "broad": advice.broad,
        "of_mapping": limits.of_mapping,
        "needs_key": limits.needs_key,
        "survivor_why": case.survivor.why,
        "predicted_survivor": case.survivor.side,
        "confidence": case.confidence,
        "evidence_had": asdict(case.evidence_had),
        "checklist": [asdict(each) | {"answer": each.answer.value} for each in case.checklist],
        "import_split": case.import_split,
    }
