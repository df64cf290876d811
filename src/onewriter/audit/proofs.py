"""The proof of a case on record: its checks, the full cycles that have passed since, and fresh edits that were seen.

Nothing here looks at a value. When a check is due follows from the runs and from the field log; what is then seen is
handed in, and what becomes of it is decided by `rules.diagnosis.proof`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from onewriter.customers import log, policies, runs, systems
from onewriter.customers.links import LINKED
from onewriter.customers.runs import Run
from onewriter.db.casetables import case_checks, cases
from onewriter.db.tables import links as link_table
from onewriter.records import SECOND, SHOPIFY, Instant, Path, RunState
from onewriter.rules.diagnosis.evidence import Evidence, Side
from onewriter.rules.diagnosis.proof import CheckName, CheckState, Pass, Proof, State
from onewriter.rules.policy import Direction

RUNS_MAX = 1_000
"""So many of the newest runs of each shop are looked at for those that passed since a fix."""
WRITES = (Direction.IN, Direction.BOTH)
EDITS = (Path.WEBHOOK.value, Path.READ.value, Path.HAND.value, Path.CYCLE.value)
"""How an edit that somebody makes reaches us."""
CLOCKS: Instant = 60 * SECOND
"""So far the clocks of two systems may be apart, and some tell whole seconds only."""
THEIRS = (Path.WEBHOOK.value, Path.READ.value, Path.HAND.value)
"""How an edit of a customer of the case itself reaches us: a cycle brings what the fix changed, too."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One check, and the customer whose fresh edit it looks at, or waits for."""

    proof: Proof
    customer_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class FreshEdit:
    """An edit of a field that was seen after a fix."""

    customer_id: bytes
    at: Instant


# ---- The checks -----------------------------------------------------------------------------------------------------


def begin(db: Connection, shop_id: int, number: int, proofs: Iterable[Proof]) -> None:
    """Begin the proof of a fix; whatever an earlier fix had proved is no proof of this one."""
    clear(db, shop_id, number)
    rows = [
        {
            "shop_id": shop_id, "number": number, "name": each.name.value, "state": each.state.value,
            "due_after": each.due_after,
        }
        for each in proofs
    ]  # fmt: skip
    db.execute(insert(case_checks), rows)


def clear(db: Connection, shop_id: int, number: int) -> None:
    """Forget the checks of a fix that was taken back."""
    db.execute(delete(case_checks).where(case_checks.c.shop_id == shop_id, case_checks.c.number == number))


def of_case(db: Connection, shop_id: int, number: int) -> list[Kept]:
    """The checks of a case, in the order in which they are told; none without a fix."""
    query = select(case_checks).where(case_checks.c.shop_id == shop_id, case_checks.c.number == number)
    rows = db.execute(query).all()
    fixed_at = min((row.due_after for row in rows), default=0)
    order = list(CheckName)
    found = []
    for row in rows:
        name = CheckName(row.name)
        customer = None if row.customer_id is None else bytes(row.customer_id)
        # A check that still waits for its edit is due after the fix itself, as all are that need none.
        edited = name is not CheckName.SECOND or row.due_after > fixed_at
        proof = Proof(
            name=name, state=CheckState(row.state), due_after=row.due_after, edited=edited, looked_at=row.looked_at,
            told=row.told,
        )  # fmt: skip
        found.append(Kept(proof, customer))
    return sorted(found, key=lambda each: order.index(each.proof.name))


def save(db: Connection, shop_id: int, number: int, kept: Kept) -> None:
    """Write down what became of a check."""
    proof = kept.proof
    values = {
        "state": proof.state.value, "due_after": proof.due_after, "looked_at": proof.looked_at, "told": proof.told,
        "customer_id": kept.customer_id,
    }  # fmt: skip
    db.execute(update(case_checks).where(*_named(shop_id, number, proof.name)).values(**values))


def name_canary(db: Connection, shop_id: int, number: int, customer_id: bytes) -> None:
    """Wait for a fresh edit of this customer, whom a person names."""
    db.execute(
        update(case_checks)
        .where(*_named(shop_id, number, CheckName.SECOND))
        .values(customer_id=customer_id, state=CheckState.WAITING.value)
    )


def _named(shop_id: int, number: int, name: CheckName) -> tuple[ColumnElement[bool], ...]:
    columns = case_checks.c
    return columns.shop_id == shop_id, columns.number == number, columns.name == name.value


# ---- The cycles that passed -----------------------------------------------------------------------------------------


def passes(db: Connection, shop_id: int, since: Instant) -> list[Pass]:
    """The runs that read a system, or the whole shop, and began after that time."""
    named = {runs.cycle_of(name): name for name in systems.names(db, shop_id) if name != SHOPIFY}
    named[runs.RECONCILE] = SHOPIFY
    found = runs.begun(db, shop_id, list(named), RUNS_MAX)
    return [_pass(named[each.kind], each) for each in found if (each.started_at or 0) > since and _is_whole(each)]


def _is_whole(run: Run) -> bool:
    """Whether a run meant to read everything and to write what follows: neither a try, nor of one customer."""
    return not any(run.checkpoint.get(name) for name in ("dry", "dry_run", "only"))


def _pass(system: str, run: Run) -> Pass:
    return Pass(
        system=system,
        began=run.started_at or 0,
        ended=run.finished_at,
        # One that left a write pending or did not get through ends as partial or failed (decision D3).
        read_all=run.state is RunState.DONE,
        rejected=frozenset(run.checkpoint.get("refused") or ()),
    )


def resynced_at(db: Connection, shop_id: int, system: str, people: Collection[bytes], since: Instant) -> Instant | None:
    """When a person last had one of these customers carried over by hand, and it was; None if nobody did."""
    wanted = {each.hex() for each in people}
    ended = [
        each.finished_at
        for each in runs.begun(db, shop_id, [runs.cycle_of(system)], RUNS_MAX)
        if each.checkpoint.get("only") in wanted and each.state is RunState.DONE and (each.started_at or 0) > since
    ]
    return max((each for each in ended if each is not None), default=None)


def writers(
    db: Connection, shop_id: int, system: str, fields: Collection[str], people: Collection[bytes], since: Instant
) -> set[str]:
    """The systems that may write these fields, or were seen to write them of these people, and the case's own."""
    policy, connected = policies.of_shop(db, shop_id), {*systems.names(db, shop_id)} - {SHOPIFY}
    may = {
        name
        for name in connected
        for field, each in policy.maps(name).items()
        if field in fields and each.direction in WRITES
    }
    seen = log.systems_writing(db, sorted(people), fields, since)
    return (may | seen | {system}) & connected


# ---- Fresh edits ----------------------------------------------------------------------------------------------------


def fresh_edit(
    db: Connection,
    shop_id: int,
    system: str,
    fields: Collection[str],
    people: Collection[bytes],
    since: Instant,
    canary: bytes | None = None,
) -> FreshEdit | None:
    """The first edit of these fields since then on a linked customer who is a second one; None while there is none.

    `people` are the case's own; where it is about one customer alone, an edit of that one proves nothing of others.
    """
    for line in log.edits_since(db, shop_id, fields, EDITS, since):
        customer = line.customer_id
        is_own = customer in people
        if canary is not None and customer != canary:
            continue
        if is_own and (len(people) == 1 or line.path.value not in THEIRS):
            continue
        if line.path is Path.HAND and line.reason is not None:
            # What was only proposed to the owner is an edit once the owner says it.
            continue
        # What a system says belatedly was edited before the fix.
        if (line.at is None or line.at > since - CLOCKS) and _is_linked(db, shop_id, system, customer):
            return FreshEdit(customer, line.heard_at)
    return None


def has_second(db: Connection, shop_id: int, system: str, people: Collection[bytes]) -> bool:
    """Whether there is any other linked customer whose edit could be looked at."""
    linked = select(func.count(link_table.c.customer_id.distinct())).where(*_linked(shop_id, system))
    return bool(db.execute(linked).scalar_one() > min(1, len(people)))


def _is_linked(db: Connection, shop_id: int, system: str, customer_id: bytes) -> bool:
    query = select(link_table.c.record_id).where(*_linked(shop_id, system), link_table.c.customer_id == customer_id)
    return db.execute(query.limit(1)).first() is not None


def _linked(shop_id: int, system: str) -> tuple[ColumnElement[bool], ...]:
    columns = link_table.c
    return columns.shop_id == shop_id, columns.system == system, columns.state == LINKED


# ---- What was proved ------------------------------------------------------------------------------------------------


def proved_since(db: Connection, shop_id: int, system: str) -> dict[str, Instant]:
    """When each field was mended whose fix was proved: what its log tells of the time before is no news any more."""
    query = select(cases.c.told, cases.c.fixed_at).where(
        cases.c.shop_id == shop_id, cases.c.system == system, cases.c.fixed_at.is_not(None),
        cases.c.state.in_([State.VERIFIED.value, State.CLOSED.value]),
    )  # fmt: skip
    found: dict[str, Instant] = {}
    for told, fixed_at in db.execute(query):
        for name in told["fields"]:
            found[name] = max(fixed_at, found.get(name, 0))
    return found


def since(evidence: Evidence, fields: Mapping[str, Instant]) -> Evidence:
    """The evidence without the writes of these fields from before the time that is named for each."""
    if not evidence.writes or not fields:
        return evidence
    rules = (evidence.fields or {}).values()
    named = {(Side.SOURCE, each.source_field): fields[each.name] for each in rules if each.name in fields}
    named |= {(Side.TARGET, each.target_field): fields[each.name] for each in rules if each.name in fields}
    kept = [each for each in evidence.writes if each.at is None or each.at > named.get((each.side, each.field), 0)]
    return replace(evidence, writes=kept)
