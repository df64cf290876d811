"""Settling Shopify's customers anew, once the policy says something else of Shopify.

What others owned until now was refused while they did; what Shopify owns from now on is as its side has it. And what it
is told of from now on is marked, for those of whom it does not say so yet.
"""

from sqlalchemy import Connection

from onewriter.customers import log, owned, parked, pending, profiles
from onewriter.customers.log import LogLine
from onewriter.customers.profiles import Profile
from onewriter.intake.others import by_policy, note_apart
from onewriter.intake.reading import Reading, open_locked
from onewriter.loyalty import facts
from onewriter.loyalty.facts import Written
from onewriter.records import SHOPIFY, Instant, Path, Value
from onewriter.rules import consent, mapping
from onewriter.rules.consent import Taken
from onewriter.rules.policy import CONSENTS, Direction
from onewriter.rules.tags import resplit

AT_ONCE = 200


def resettle_some(db: Connection, reading: Reading, after: bytes, now: Instant) -> bytes:
    """Look at the next customers anew; the last of them, empty when there were none left."""
    ids = owned.live_ids(db, reading.vault.shop_id, after, AT_ONCE)
    people = open_locked(db, reading, ids, now)
    loaded = profiles.load(db, reading.vault, [one.shopify_id for one in people.values()])
    changed, marks, lines = [], [], []
    for person in people.values():
        profile = loaded.get(person.shopify_id)
        if profile is None or not person.live:
            continue
        resplit(profile.own, reading.policy.namespaces)
        taken = _owed(reading, profile, now)
        if taken:
            old = {name: profile.own.get(name) for name in taken}
            profile.own.update(taken)
            person.fields.update(taken)
            profile.changed = True
            changed.append(profile)
            line = LogLine(
                tuple(taken), Path.READ, profile.version, reason="Shopify owns it now", run_id=reading.run_id, old=old,
                new=taken,
            )  # fmt: skip
            lines.append((person.id, person.key, line))
            told = [name for name in reading.policy.systems if name != SHOPIFY]
            marks += [(name, person.id, each) for each in taken for name in reading.policy.told_of(each, told)]
        marks += [(SHOPIFY, person.id, name) for name in _untold(reading, profile, person.fields)]
    profiles.save(db, reading.vault, changed, now)
    note_apart(db, reading.vault, reading.policy, loaded.values(), now)
    log.add(db, reading.vault.shop_id, lines, now, keep_days=0)
    pending.mark(db, reading.vault.shop_id, marks, now, run_id=reading.run_id)
    if changed:
        people_now = [(each.id, each.key, each.fields) for each in people.values()]
        parked.agree(db, reading.vault, people_now, now)
        facts.take(db, reading.vault, Written(changed, (), (), ()), now, run_id=reading.run_id)
    return ids[-1] if ids else b""


def _owed(reading: Reading, profile: Profile, now: Instant) -> dict[str, Value]:
    """What Shopify says in fields of its own, where the customer has something else from before."""
    side = by_policy(reading.policy, profile.side)
    found: dict[str, Value] = {}
    for name, each in reading.policy.maps(SHOPIFY).items():
        if each.direction is not Direction.IN or each.remote not in side or profile.own.get(name) == side[each.remote]:
            continue
        value = side[each.remote]
        if name in CONSENTS:
            step = consent.step(profile.own.get(name), value, by=SHOPIFY, is_owner=True, bulk=True, now=now)
            if not isinstance(step, Taken):
                continue
            value = step.value
        if value != profile.own.get(name):
            found[name] = value
    return found


def _untold(reading: Reading, profile: Profile, own: dict[str, Value]) -> list[str]:
    """What Shopify is told of and does not say yet; a field that its owner never filled is not emptied there."""
    side = by_policy(reading.policy, profile.side)
    maps = reading.policy.maps(SHOPIFY)
    told = [name for name in reading.policy.goes_out(SHOPIFY) if mapping.own_value(name, own) is not None]
    return [
        name
        for name in told
        if maps[name].remote not in side
        or not mapping.in_step(
            name, maps[name], mapping.own_value(name, own), side[maps[name].remote], region=reading.region,
            namespaces=reading.policy.namespaces,
        )
    ]  # fmt: skip
