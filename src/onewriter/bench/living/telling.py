"""The evidence of a living shop, as both systems and the engine would export it.

The log is the CRM's own history and the shop's, in the one order in which they came; what the CRM refused is told by
our log. Snapshots are what both held at the end of each cycle. Links, policy and runs are the engine's.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from onewriter.bench.living.crm import COLUMNS, FIELDS, OURS
from onewriter.bench.living.shop import CONNECTOR, CRM, LivingShop
from onewriter.customers import links, remote
from onewriter.customers.links import LINKED
from onewriter.customers.log import apart
from onewriter.db.tables import customers, field_log
from onewriter.records import Instant, Path, RunState, parse_instant
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, LinkOf, Rec, RunOf, Seen, Side, Write
from onewriter.rules.ownership import writers
from onewriter.rules.policy import Direction, FieldMap, Policy, kind_of

_WAYS = {
    Direction.OUT: "source_to_target", Direction.IN: "target_to_source", Direction.BOTH: "both", Direction.NONE: "none",
}  # fmt: skip
_STATES = {RunState.DONE: "done", RunState.PARTIAL: "partial"}


def hand_of(who: str) -> Hand:
    """What kind of writer that is, by the words of a bundle."""
    if who in (OURS, CONNECTOR):
        return Hand.CONNECTOR
    if who == "customer" or who.startswith("user:"):
        return Hand.PERSON
    known = {"import": Hand.IMPORT, "shopify:merge": Hand.MERGE, "shopify:redact": Hand.REDACTION}
    return known.get(who, Hand.APP if who.startswith("app:") else Hand.UNKNOWN)


def evidence_of(shop: LivingShop, told: Policy | None = None, extra: Mapping[str, RunOf] | None = None) -> Evidence:
    """Everything there is; `told` is the policy as people wrote it down, where that is not the one in force, and
    `extra` are runs that were none of ours."""
    policy = told or shop.policy
    return Evidence(
        source="shopify",
        target=CRM,
        records={Side.SOURCE: _shop_records(shop), Side.TARGET: _crm_records(shop)},
        taken_at=shop.moment,
        cycles=len(shop.runs),
        links=_links(shop),
        fields={name: _rules(policy, name, each) for name, each in policy.maps(CRM).items() if name != "shopify_id"},
        match_keys=("shopify_id", "email", "phone"),
        two_way=any(each.direction is Direction.BOTH for each in policy.maps(CRM).values()),
        region="GB",
        writes=_writes(shop),
        runs=_runs(shop) | dict(extra or {}),
        history=_history(shop),
    )


def said(value: Any) -> Any:
    """A value as an export has it: a consent is its state."""
    return value.get("state") if isinstance(value, dict) else value


def _shop_records(shop: LivingShop) -> dict[str, Rec]:
    return {
        str(number): Rec(
            str(number), {} if number in shop.redacted else {name: said(value) for name, value in fields.items()},
            shop.made[number], shop.gone.get(number), number in shop.redacted,
        )
        for number, fields in shop.held.items()
    }  # fmt: skip


def _crm_records(shop: LivingShop) -> dict[str, Rec]:
    return {
        str(number): Rec(str(number), {name: row[name] for name in COLUMNS}, _stamped(row["made"]))
        for number, row in shop.crm.people().items()
    }


def _links(shop: LivingShop) -> list[LinkOf]:
    with shop.runtime.database.read() as db:
        vault = shop.runtime.vault(shop.shop_id)
        known = {bytes(row.id): row.shopify_id for row in db.execute(select(customers.c.id, customers.c.shopify_id))}
        by = {
            each.record: each.matched_by
            for each in links.of_people(db, shop.shop_id, list(known))
            if each.state == LINKED
        }
        found = remote.of_customers(db, vault, CRM, list(known))
    return [
        LinkOf(str(known[customer]), each.id, by[each.name])
        for customer, records in found.items()
        for each in records
        if each.name in by
    ]


def _rules(policy: Policy, name: str, each: FieldMap) -> FieldRules:
    owner = policy.owner_of(name)
    return FieldRules(
        name=name, kind=kind_of(name).value, owner=owner, direction=_WAYS[each.direction], source_field=name,
        target_field=each.remote, transform=each.transform, max_length=each.max_length,
        covered=each.direction is not Direction.NONE, permission="write", enum=each.enum, empty=each.empty,
        writers=writers(policy, name),
    )  # fmt: skip


def _writes(shop: LivingShop) -> list[Write]:
    """The one log of both, in the order in which it came."""
    columns = {column: name for name, column in FIELDS.items()}
    people = {each.target: each.source for each in _links(shop)}
    lines: list[tuple[int, int, dict[str, Any]]] = []
    told: dict[str, Any]
    for line in shop.crm.history():
        told = {"side": Side.TARGET, "id": str(line.id), "field": line.column, "old": line.old, "new": line.new}
        lines.append((line.seq, 0, told | {"writer": line.who, "run": line.run, "at": _stamped(line.at)}))
    for place, act in enumerate(shop.acts):
        told = {"side": Side.SOURCE, "id": str(act.id), "field": act.name, "old": said(act.old), "new": said(act.new)}
        lines.append((act.after, 1 + place, told | {"writer": act.who, "run": act.run, "at": act.at}))
    lines += _refused(shop)
    lines.sort(key=lambda each: each[:2])
    carried: dict[tuple[str, str], int] = {}
    found = []
    for seq, (_after, _place, one) in enumerate(lines, 1):
        cause = None
        if one["side"] is Side.SOURCE:
            carried[one["id"], one["field"]] = seq
        elif one["writer"] == OURS:
            cause = carried.get((people.get(one["id"], ""), columns[one["field"]]))
        found.append(Write(**one, seq=seq, caused_by=cause, hand=hand_of(one["writer"])))
    return found


def _refused(shop: LivingShop) -> list[tuple[int, int, dict[str, Any]]]:
    """What the CRM would not take, as our log has it."""
    with shop.runtime.database.read() as db:
        rows = db.execute(
            select(field_log)
            .where(field_log.c.path == Path.SEND.value, field_log.c.accepted.is_(False))
            .order_by(field_log.c.id)
        ).all()
        known = {
            bytes(row.id): str(row.shopify_id) for row in db.execute(select(customers.c.id, customers.c.shopify_id))
        }
    people = {each.source: each.target for each in _links(shop)}
    found = []
    for place, row in enumerate(rows):
        source = known.get(bytes(row.customer_id), "")
        for name in apart(row.fields):
            if name not in FIELDS or source not in people:
                continue
            told = {"side": Side.TARGET, "id": people[source], "field": FIELDS[name], "accepted": False}
            told |= {"writer": OURS, "run": row.run_id, "at": row.heard_at, "reason": row.reason}
            told["new"] = said(shop.held.get(int(source), {}).get(name))
            found.append((shop.reach.get(row.run_id, 0), place, told))
    return found


def _runs(shop: LivingShop) -> dict[str, RunOf]:
    return {
        run.id: RunOf(
            id=run.id, kind="cycle", state=_STATES.get(run.state, "failed"), cycle=cycle, started=run.started_at,
            finished=run.finished_at,
        )
        for cycle, run in enumerate(shop.runs, 1)
    }  # fmt: skip


def _history(shop: LivingShop) -> list[Seen]:
    found = []
    for look in shop.looks:
        found += [
            Seen(look.cycle, Side.SOURCE, str(number), {name: said(value) for name, value in fields.items()})
            for number, fields in look.shop.items()
        ]
        found += [
            Seen(look.cycle, Side.TARGET, str(number), {name: row[name] for name in COLUMNS})
            for number, row in look.crm.items()
        ]
    return found


def _stamped(stamp: str | None) -> Instant | None:
    return None if stamp is None else parse_instant(stamp.replace(" ", "T") + "+00:00")
