"""The evidence of the tea shop and its CRM, as an audit gathers it."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from onewriter.audit import gathering
from onewriter.audit.gathering import Gathered
from onewriter.customers import shops, systems
from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import Side, Write
from onewriter.rules.diagnosis.facts import Compared
from onewriter.rules.policy import FieldMap, Policy
from onewriter.workflows import constraining
from tests.support.crm import CRM, Crm, policy_of


def gather(beside: Crm, only: Collection[bytes] | None = None) -> Gathered:
    """The evidence as the database has it now."""
    runtime, shop_id, vault = beside.tea.runtime, beside.tea.shop_id, beside.tea.vault
    with runtime.database.snapshot() as db:
        shop, system = shops.by_id(db, shop_id), systems.get(db, shop_id, CRM)
        bounds = constraining.known(runtime, db, shop, system, days=30)
        chosen = gathering.choose(db, vault, CRM, runtime.now(), only=only)
        return gathering.gather(db, vault, shop, system, bounds, runtime.now(), chosen=chosen)


def compared(beside: Crm) -> Compared:
    """What the comparison makes of it."""
    return compare(gather(beside).evidence)


@dataclass(frozen=True)
class Told:
    """One write, as a test asks for it."""

    side: Side
    hand: str
    new: object
    accepted: bool | None = True


def told(found: Gathered, field: str, remote: str) -> list[Told]:
    """The writes of one field on either side, in the order of the log."""
    names = {Side.SOURCE: field, Side.TARGET: remote}
    return [
        Told(each.side, each.hand.value, each.new, each.accepted)
        for each in found.evidence.writes or ()
        if each.field == names[each.side]
    ]


def caused(found: Gathered, write: Write) -> Write | None:
    """The write that this one carried over."""
    return next((each for each in found.evidence.writes or () if each.seq == write.caused_by), None)


def mapping(name: str, **more: object) -> Policy:
    """The usual policy, with one field mapped otherwise."""
    made = policy_of()
    each: FieldMap = replace(made.systems[CRM][name], **more)  # type: ignore[arg-type]
    return replace(made, systems={CRM: dict(made.systems[CRM]) | {name: each}})
