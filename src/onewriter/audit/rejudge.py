"""Judging again: what was never delivered when it was found may have been delivered since."""

from collections.abc import Sequence
from dataclasses import replace

from onewriter.audit import reasons
from onewriter.audit.reasons import Reason, Sought
from onewriter.audit.settle import ILLS
from onewriter.customers import findings, inbox
from onewriter.customers.findings import Open
from onewriter.db.engine import Database
from onewriter.records import DAY, Instant
from onewriter.vault.vault import ShopVault

FOR: Instant = 3 * DAY
"""How long a finding is judged again: Shopify tries for hours, and a trigger time is believed for two days."""
AT_ONCE = 250


def rejudge(database: Database, vault: ShopVault, now: Instant) -> int:
    """Look again at what was never delivered; returns how many findings turned out to have been delivered late."""
    late, after = 0, b""
    while True:
        with database.read() as db:
            waiting = findings.with_reason(
                db, vault.shop_id, Reason.NEVER.value, ILLS, now - FOR, after=after, most=AT_ONCE
            )
            hashes = {each.id: vault.key.id_hash(each.shopify_id) for each in waiting}
            told = inbox.told_of(db, vault.shop_id, sorted(set(hashes.values())))
        changed = [(each, found) for each in waiting if (found := _late(each, told[hashes[each.id]]))]
        if changed:
            with database.write() as db:
                for each, found in changed:
                    evidence = {**each.evidence, "deliveries": reasons.shown(found)}
                    findings.change_reason(db, each.id, Reason.LATE.value, evidence)
        late += len(changed)
        if len(waiting) < AT_ONCE:
            return late
        after = waiting[-1].id


def _late(each: Open, told: Sequence[inbox.Told]) -> list[inbox.Told]:
    """The deliveries that should have told of it and came later; empty while there are none."""
    looked_for = Sought(**each.evidence["looked_for"])
    why, found = reasons.reason(replace(looked_for, topics=tuple(looked_for.topics)), told)
    return found if why is Reason.LATE else []
