"""The constraint check of a system, and trying for it what only a write can tell.

A right is tried by writing back to one record, which a person named, what stands in it already: field by field, since
one field may be refused and the next be taken. Nothing changes by it but what the system itself notes of a write.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.audit import boundary, samples
from onewriter.audit.boundary import TRIED
from onewriter.connectors.interface import Applied, Conflict, FieldPatch, Outcome, Record, Rejected, Unchanged
from onewriter.customers import log, policies
from onewriter.customers.log import LogLine
from onewriter.customers.shops import Shop
from onewriter.customers.systems import ACTIVE, System
from onewriter.errors import Permanent
from onewriter.intake.hand import CannotSet, read_value
from onewriter.intake.targets import ShopifyTarget, SystemTarget
from onewriter.records import Path
from onewriter.rules import constraints
from onewriter.rules.comparing import is_empty
from onewriter.rules.evidence import Check, Evidence
from onewriter.rules.policy import CONSENTS, ONEWRITER, Policy
from onewriter.runtime import Runtime
from onewriter.workflows import reaching

Target = SystemTarget | ShopifyTarget

DAYS = 30
"""Of the log, that are looked at where nobody says how many."""


class NotTried(Permanent):
    """Nothing could be tried: the system stands still, or the customer has no record in it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of writing one field back."""

    field: str
    taken: bool | None
    """None where it is no answer: nothing was sent, or nobody knows what became of it."""
    reason: str | None


def check(
    runtime: Runtime, db: Connection, shop: Shop, system: System, *, days: int, asked: str | None = None
) -> tuple[Check, ...]:
    """The six looks at a system's boundary; nothing of anybody's is opened, and nothing is asked of the system."""
    return constraints.checks(known(runtime, db, shop, system, days=days, asked=asked))


def known(
    runtime: Runtime, db: Connection, shop: Shop, system: System, *, days: int, asked: str | None = None
) -> Evidence:
    """What the six looks are taken at."""
    policy = policies.of_shop(db, shop.id)

    def by_hand(name: str, typed: str) -> str | None:
        try:
            value = read_value(policy, name, typed, region=shop.region)
        except CannotSet:
            return None
        return None if value is None else str(value)

    forms = samples.forms(policy, system.name, shop.region, by_hand)
    return boundary.gather(db, shop, system, runtime.now(), days=days, forms=forms, asked=asked)


def triable(policy: Policy, system: str, asked: str | None = None) -> list[str]:
    """The fields of which the right can be tried. A consent is none: it is written when a person gave or took it."""
    return sorted(name for name in policy.goes_out(system) - {*CONSENTS} if asked in (None, name))


def try_rights(runtime: Runtime, system: System, customer_id: bytes, fields: Sequence[str]) -> list[Tried]:
    """Write back what stands in these fields of a customer's record, and log what became of each.

    Raises NotTried, and what reaching the system raises.
    """
    if system.state != ACTIVE:
        raise NotTried(f"{system.name} is paused; `onewriter systems resume {system.name}` first.")
    with reaching.opened(runtime, system, None) as target:
        with runtime.database.read() as db:
            held = target.held(db, [customer_id]).get(customer_id)
        if held is None:
            raise NotTried(f"That customer has no record in {system.name}; name one who has: `onewriter links show`.")
        maps = target.reading.policy.maps(system.name)
        return [_try(runtime, target, customer_id, held.id, name, maps[name].remote) for name in fields]


def _try(runtime: Runtime, target: Target, customer_id: bytes, record_id: str, name: str, remote: str) -> Tried:
    before = _read(target, record_id)
    if before is None:
        return Tried(name, None, "the record is there no more")
    value = before.fields.get(remote)
    if is_empty(value):
        return Tried(name, None, "nothing stands there that could be written back")
    patch = FieldPatch(key=record_id, set={remote: value}, if_version=before.version, again=True)
    tried = _told(name, target.write([patch])[0])
    if tried.taken:
        after = _read(target, record_id)
        if after is not None and after.fields.get(remote) != value:
            tried = Tried(name, False, "it made another value of it")
    if tried.taken is not None:
        _write_down(runtime, target, customer_id, tried)
    return tried


def _read(target: Target, record_id: str) -> Record | None:
    """The record as it stands in the system now, so that what is written back is what stands there."""
    return next(iter(list(target.connector.read_keys([record_id]))), None)


def _told(name: str, outcome: Outcome) -> Tried:
    if isinstance(outcome, Applied):
        return Tried(name, True, None)
    if isinstance(outcome, Rejected):
        return Tried(name, False, outcome.reason)
    if isinstance(outcome, Unchanged):
        return Tried(name, None, "its connector writes nothing that stands there already")
    if isinstance(outcome, Conflict):
        return Tried(name, None, "somebody changed the record at this moment")
    return Tried(name, None, "the system did not answer so that one could tell")


def _write_down(runtime: Runtime, target: Target, customer_id: bytes, tried: Tried) -> None:
    reading, now = target.reading, runtime.now()
    line = LogLine(
        (tried.field,), Path.SEND, now, accepted=bool(tried.taken), system=reading.system, writer=ONEWRITER,
        reason=TRIED if tried.taken else f"{TRIED}: {tried.reason}",
    )  # fmt: skip
    key = reading.vault.keys.subject_keys([customer_id])[customer_id]
    with runtime.database.write() as db:
        log.add(db, reading.vault.shop_id, [(customer_id, key, line)], now, keep_days=reading.keep_days)
