"""The ledger's rules for every history: against a ledger that is too simple to be wrong, and against themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onewriter.records import DAY, Entry, EntryKind, Instant, Order, Refund
from onewriter.rules.earning import (
    UNIT,
    Basis,
    Expiry,
    OrderRule,
    Programme,
    Rounding,
    Version,
    When,
    of_order,
    owed,
)
from onewriter.rules.lots import Lapse
from onewriter.rules.merging import Ledger, plan
from onewriter.rules.replaying import Join, Standing, replay
from tests.support.ledgers import Naive, consequences, open_lots, posted

LAST = 24
"""The last day of these ledgers."""
MERGED = LAST * DAY + DAY // 2
"""When nothing has happened since the last day, and nothing has ended."""
WHO = (b"ann", b"bob", b"cat")


def said(found: Standing) -> dict[str, Any]:
    """What a standing and the naive ledger can both say."""
    return {
        "balance": found.balance,
        "pending": found.pending,
        "lots": open_lots(found),
        "ended": sum(each.points for each in found.ended.values()),
        "floor": found.floor,
    }


# ---- Ledgers at random

DAYS = st.integers(0, LAST)
Chain = tuple[tuple[bytes, bytes], ...]
CHAINS: tuple[Chain, ...] = (
    (),
    ((b"bob", b"ann"),),
    ((b"bob", b"ann"), (b"cat", b"ann")),
    ((b"cat", b"bob"), (b"bob", b"ann")),
)


class History:
    """The entries of some customers, how they were merged, and the rules."""

    def __init__(
        self, entries: list[Entry], joins: list[Join], policy: Lapse, taken_back: dict[bytes, Instant]
    ) -> None:
        self.entries, self.joins, self.policy, self.taken_back = entries, joins, policy, taken_back

    def __repr__(self) -> str:
        lines = [f"{self.policy}", *(f"day {j.at // DAY}: {j.deleted!r} into {j.kept!r}" for j in self.joins)]
        for each in sorted(self.entries, key=lambda entry: entry.occurred_at):
            ends = "" if each.expires_at is None else f" ends {each.expires_at // DAY}"
            of = (
                ""
                if each.order_id is None
                else f" of #{each.order_id} {each.reference} read {(each.version or 0) // DAY}"
            )
            name = f"{each.origin_id!r} {each.id!r} {each.kind.value} {each.points:+}{of or f' {each.rule}'}"
            dropped = f" dropped {self.taken_back[each.dropped_by] // DAY}" if each.dropped_by else ""
            lines.append(f"day {each.occurred_at // DAY}: {name} opens {each.available_at // DAY}{ends}{dropped}")
        return "\n".join(lines)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.entries, self.joins, self.taken_back)

    def standing(self, now: Instant = LAST * DAY) -> Standing:
        return self.ledger.standing(now, self.policy)


def credit(draw: Callable[..., Any], number: int, who: bytes, at: int) -> Entry:
    """Something that was earned, or given by hand."""
    what = draw(st.sampled_from(["signup", "event", "order", "order", "adjust"]))
    wait, keeps = draw(st.sampled_from([0, 0, 3, 5])), draw(st.sampled_from([None, 2, 4, 8]))
    name = draw(st.sampled_from([1, 2]))
    return Entry(
        id=b"%02d %s" % (draw(st.integers(0, 99)), b"%d" % number),
        customer_id=WHO[0],
        origin_id=who,
        kind=EntryKind.ADJUST if what == "adjust" else EntryKind.EARN,
        points=draw(st.integers(1, 12)),
        rule="custom:event" if what == "event" else what,
        occurred_at=at * DAY,
        available_at=(at + wait) * DAY,
        expires_at=None if keeps is None else (at + wait + keeps) * DAY,
        once_key=what if what == "signup" else None,
        reference=None if what in ("signup", "adjust") else str(name),
        order_id=name if what == "order" else None,
        version=draw(DAYS) * DAY if what == "order" else None,
    )


def debit(draw: Callable[..., Any], number: int, who: bytes, at: int, orders: Sequence[Entry]) -> Entry:
    """Something that takes points; a refund takes no more than its order has left."""
    plain = Entry(
        id=b"%02d %s" % (draw(st.integers(0, 99)), b"%d" % number),
        customer_id=WHO[0],
        origin_id=who,
        kind=draw(st.sampled_from([EntryKind.REDEEM, EntryKind.ADJUST])),
        points=-draw(st.integers(1, 12)),
        rule="spent",
        occurred_at=at * DAY,
        available_at=at * DAY,
    )
    if not orders or draw(st.booleans()):
        return plain
    of = draw(st.sampled_from(orders))
    moment = max(at * DAY, of.occurred_at)
    return replace(
        plain,
        origin_id=of.origin_id,
        kind=draw(st.sampled_from([EntryKind.REVERSE, EntryKind.CORRECT])),
        points=max(plain.points, -of.points),
        rule="order",
        occurred_at=moment,
        available_at=moment,
        order_id=of.order_id,
        reference=f"{draw(st.sampled_from(['refund 1', 'refund 2']))}",
        version=moment,
    )


@st.composite
def histories(draw: Any, *, chain: Chain | None = None, lapsing: bool = True) -> History:
    """Up to twelve entries of up to three customers that end as one."""
    chain = draw(st.sampled_from(CHAINS)) if chain is None else chain
    moments = sorted(draw(DAYS) for _ in chain or ())
    merges = enumerate(zip(chain or (), moments, strict=True))
    joins = [Join(b"%d" % number, pair[0], pair[1], at * DAY) for number, (pair, at) in merges]
    whose = sorted({who for pair in chain or () for who in pair}) or [WHO[0]]
    entries: list[Entry] = []
    for number in range(draw(st.integers(1, 12))):
        who, at = draw(st.sampled_from(whose)), draw(DAYS)
        orders = [each for each in entries if each.rule == "order" and each.kind is EntryKind.EARN]
        one = draw(st.sampled_from([credit, debit]))
        entry = credit(draw, number, who, at) if one is credit else debit(draw, number, who, at, orders)
        if all(stands_for(each) != stands_for(entry) or stands_for(entry) is None for each in entries):
            entries.append(entry)
    entries += backs(draw, entries)
    taken_back = {}
    gifts = [each for each in entries if each.kind is EntryKind.EARN and each.order_id is None]
    if gifts and draw(st.booleans()):
        award = draw(st.sampled_from(gifts))
        entries[entries.index(award)] = replace(award, dropped_by=b"award")
        taken_back[b"award"] = max(draw(DAYS) * DAY, award.occurred_at)
    days = draw(st.sampled_from([None, 2, 4, 7])) if lapsing else None
    return History(entries, joins, Lapse(days, draw(st.integers(0, 10)) * DAY), taken_back)


def backs(draw: Callable[..., Any], entries: Sequence[Entry]) -> list[Entry]:
    """Redemptions that were taken back."""
    redeemed = [each for each in entries if each.kind is EntryKind.REDEEM]
    if not redeemed or draw(st.integers(0, 3)):
        return []
    of = redeemed[0]
    return [replace(of, id=of.id + b" back", kind=EntryKind.REVERSE, points=-of.points, lot_id=of.id)]


def stands_for(entry: Entry) -> object:
    """What the database keeps apart: nobody has two entries of it."""
    name = entry.once_key or entry.reference
    return None if name is None else (entry.origin_id, entry.kind, entry.rule, entry.order_id, name)


@settings(max_examples=400)
@given(histories())
def test_a_replay_says_what_living_through_every_day_says(history: History) -> None:
    drops = history.ledger.drops()[0]
    lived = Naive(history.entries, history.policy, history.joins, drops).live(LAST * DAY)
    assert said(history.standing()) == lived.says(LAST * DAY)


@given(histories())
def test_balance_and_pending_are_the_sum_of_what_counts(history: History) -> None:
    drops, found = history.ledger.drops()[0], history.standing()
    counts = sum(entry.points for entry in history.entries if entry.id not in drops)
    assert found.balance + found.pending == counts - said(found)["ended"] + found.floor


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_in_which_entries_are_given_never_matters(history: History, chance: Any) -> None:
    entries = chance.sample(history.entries, len(history.entries))
    joins = chance.sample(history.joins, len(history.joins))
    assert History(entries, joins, history.policy, history.taken_back).standing() == history.standing()


@given(histories(), st.randoms(use_true_random=False))
def test_ids_decide_only_between_what_happens_or_ends_at_one_instant(history: History, chance: Any) -> None:
    """So it does not matter when an entry was posted, as ids follow the time of posting."""
    facts = history.entries
    ranks = [(each.expires_at, each.available_at) for each in facts if each.points > 0]
    debits = [each.occurred_at for each in facts if each.points < 0]
    assume(len(set(ranks)) == len(ranks) and len(set(debits)) == len(debits))
    ids = [entry.id for entry in facts]
    other: dict[Any, Any] = dict(zip(ids, chance.sample(ids, len(ids)), strict=True)) | {None: None}
    renamed = [replace(each, id=other[each.id], lot_id=other[each.lot_id]) for each in facts]
    assert said(History(renamed, history.joins, history.policy, history.taken_back).standing()) == said(
        history.standing()
    )


@given(histories())
def test_every_point_of_a_lot_is_left_or_spent_or_expired(history: History) -> None:
    found = history.standing()
    used: dict[bytes, int] = {}
    for debit, uses in found.uses.items():
        assert sum(points for _, points in uses) <= -next(each.points for each in history.entries if each.id == debit)
        for lot_id, points in uses:
            used[lot_id] = used.get(lot_id, 0) + points
    rest = {lot.entry_id: lot.points for lot in found.lots}
    points_of = {each.id: each.points for each in history.entries}
    for lot_id in used.keys() | rest.keys() | found.ended.keys():
        ended = found.ended[lot_id].points if lot_id in found.ended else 0
        assert used.get(lot_id, 0) + rest.get(lot_id, 0) + ended == points_of[lot_id]
        assert min(used.get(lot_id, 0), rest.get(lot_id, 0), ended) >= 0


def separate(history: History, now: Instant, known: set[bytes] | None) -> list[Ledger]:
    """The ledgers of those customers who were one by then, as far as they were known; all for None."""
    joins = [each for each in history.joins if each.at <= now]
    taken_back = {key: at for key, at in history.taken_back.items() if at <= now}
    groups = {frozenset({who}) for who in WHO}
    for join in joins:
        both = {group for group in groups if not group.isdisjoint({join.deleted, join.kept})}
        groups = groups - both | {frozenset().union(*both)}
    found = []
    for group in groups:
        entries = [each for each in history.entries if each.origin_id in group and (known is None or each.id in known)]
        entries = [each if taken_back else replace(each, dropped_by=None) for each in entries]
        found.append(Ledger(entries, [join for join in joins if join.kept in group], taken_back))
    return found


@given(histories(), st.lists(DAYS, max_size=3), st.randoms(use_true_random=False))
def test_posting_what_follows_changes_nothing_whatever_was_known_when(
    history: History, moments: list[int], chance: Any
) -> None:
    before, known = said(history.standing()), set[bytes]()
    for moment in sorted({*moments, LAST}):
        now = moment * DAY
        known |= {each.id for each in history.entries if each.occurred_at <= now and chance.random() < 0.7}
        for then in separate(history, now, known if moment < LAST else None):
            fresh = consequences(then.standing(now, history.policy), then.entries, now)
            history.entries += fresh
            known |= {each.id for each in fresh}
    assert said(history.standing()) == before
    drops = history.ledger.drops()[0]
    counting = [each for each in history.entries if each.id not in drops]
    assert consequences(history.standing(), counting, LAST * DAY) == []
    assert sum(each.points for each in counting) + before["floor"] == before["balance"] + before["pending"]


@given(histories(), DAYS)
def test_nothing_changes_by_itself_before_it_is_due(history: History, moment: int) -> None:
    past = [each for each in history.entries if each.occurred_at <= moment * DAY]
    joins = [each for each in history.joins if each.at <= moment * DAY]
    ledger = Ledger([each for each in past if each.dropped_by is None], joins)
    found = ledger.standing(moment * DAY, history.policy)
    due = (LAST + 40) * DAY if found.due_at is None else found.due_at
    later = ledger.standing(due - 1, history.policy)
    assert said(later) == said(found)
    assert due > moment * DAY


def merged(ledgers: Mapping[bytes, Ledger], joins: Sequence[Join], policy: Lapse) -> tuple[set[bytes], Standing]:
    """What is left after merges, one plan after the other: the facts that count, and how the points stand."""
    held = dict(ledgers)
    for join in joins:
        found = plan(held[join.kept], held[join.deleted], join, MERGED, policy)
        held[join.kept] = held[join.kept].joined(held[join.deleted], join)
    end = held[joins[-1].kept]
    return {each.id for each in end.entries} - end.drops()[0].keys(), found.after


GROUPINGS = (
    ((b"bob", b"ann"), (b"cat", b"ann")),
    ((b"cat", b"ann"), (b"bob", b"ann")),
    ((b"cat", b"bob"), (b"bob", b"ann")),
)


@given(histories(chain=CHAINS[2], lapsing=False), st.sampled_from(GROUPINGS))
def test_chains_of_merges_end_the_same_however_they_are_grouped(
    history: History, pairs: Sequence[tuple[bytes, bytes]]
) -> None:
    """On the last day, so that nothing ends in between. What is owed is paid by what there is after each merge, so the
    lots can differ where somebody owes, or where something is dropped that was spent."""
    ledgers = {who: Ledger([each for each in history.entries if each.origin_id == who]) for who in WHO}
    joins = [
        [Join(b"%d" % n, pair[0], pair[1], MERGED) for n, pair in enumerate(each)] for each in (GROUPINGS[0], pairs)
    ]
    (one_facts, one), (other_facts, other) = (merged(ledgers, each, history.policy) for each in joins)
    assert one_facts == other_facts
    assert (one.earned, one.floor, one.balance + one.pending) == (
        other.earned,
        other.floor,
        other.balance + other.pending,
    )
    before = [ledger.standing(MERGED, history.policy) for ledger in ledgers.values()]
    spent = {lot for each in before for uses in each.uses.values() for lot, _ in uses}
    if not any(each.debt for each in before) and spent <= one_facts:
        assert said(one) == said(other)


# ---- Orders

PROGRAMME = st.builds(
    lambda rule, keeps: Version(1, 0, Programme("EUR", order=rule, expiry=Expiry(keeps))),
    st.builds(
        OrderRule,
        st.sampled_from([Decimal(1), Decimal("0.3"), Decimal(3)]),
        on=st.sampled_from(When),
        basis=st.sampled_from(Basis),
        rounding=st.sampled_from(Rounding),
        minimum=st.sampled_from([0, 20 * UNIT]),
        pending_days=st.sampled_from([0, 9]),
    ),
    st.sampled_from([None, 5]),
)


def lived(steps: Sequence[tuple[str, int]]) -> list[Order]:
    """An order after each thing that happened to it, a day apart."""
    order = Order(7, 1, 0, 0, "EUR", 30 * UNIT, 25 * UNIT, paid=False)
    states = [order]
    for number, (what, amount) in enumerate(steps, 1):
        at = number * DAY
        left = order.total - sum(refund.amount for refund in order.refunds)
        if what == "refund":
            refund = Refund(number, min(amount * UNIT // 3, left), at)
            order = replace(order, refunds=(*order.refunds, refund))
        elif what == "edit":
            less = sum(refund.amount for refund in order.refunds)
            order = replace(order, total=max(amount * UNIT, less, UNIT), subtotal=amount * UNIT // 2)
        elif what == "pay":
            order = replace(order, paid=True)
        elif what == "fulfil":
            order = replace(order, fulfilled=order.fulfilled or at)
        else:
            order = replace(order, cancelled=order.cancelled or at)
        order = replace(order, version=at)
        states.append(order)
    return states


STEPS = st.tuples(st.sampled_from(["pay", "pay", "fulfil", "refund", "refund", "edit", "cancel"]), st.integers(1, 40))


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=6), PROGRAMME, st.data())
def test_an_order_ends_the_same_whichever_of_its_states_were_read(
    steps: list[tuple[str, int]], version: Version, data: st.DataObject
) -> None:
    states = lived(steps)
    reads = [*data.draw(st.lists(st.sampled_from(states), max_size=6)), states[-1]]
    entries: list[Entry] = []
    for order in reads:
        entries += posted(owed(order, of_order(order, 0, [version]), entries), len(entries))
    alone = posted(of_order(states[-1], 0, [version]))
    assert sum(each.points for each in entries) == sum(each.points for each in alone)
    assert owed(states[-1], of_order(states[-1], 0, [version]), entries) == []
    for moment in (len(steps), len(steps) + 3, LAST):
        found, once = replay(entries, moment * DAY), replay(alone, moment * DAY)
        assert said(found) | {"ended": 0} == said(once) | {"ended": 0}
        assert found.earned == once.earned >= 0
