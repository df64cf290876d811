"""What a cycle reads with, and the two things that every part of it does: opening customers under their locks, and
writing down how a record stands to its customer.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.customers import optouts, owned, parked, policies, systems
from onewriter.customers.owned import Owned
from onewriter.customers.remote import Remote
from onewriter.db.bulk import lock_stripes, stripe_of
from onewriter.errors import CycleOvertaken
from onewriter.loyalty.balances import with_points
from onewriter.records import Instant, Path
from onewriter.rules import mapping
from onewriter.rules.policy import Direction, Policy
from onewriter.rules.settling import Settled
from onewriter.vault.vault import ShopVault

DIFFERENT = "≠"
"""What a digest of a value begins with that is not in step, so that it never equals one that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one cycle reads with: the system, the policy, and when the reading began."""

    vault: ShopVault
    policy: Policy
    system: str
    run_id: str | None
    began: Instant
    clean_before: Instant | None = None
    """When the last complete cycle began: whatever was in step until now was so then."""
    keep_days: int = 30
    """How long old and new values can be opened, so that a run can be undone."""
    by: str = "cycle"
    path: Path = Path.CYCLE
    """How what is read is said to have come: by a cycle, or out of a file that a person gave."""

    @property
    def is_file(self) -> bool:
        """True for a file: all that stands in it was written by whoever gave it, and nobody is told anything by it."""
        return self.path is Path.CSV

    @property
    def region(self) -> str | None:
        """The country that reads phone numbers without a country code."""
        return self.vault.region


def lock(db: Connection, reading: Reading, numbers: Iterable[int]) -> None:
    """Keep everybody else from the customers of these Shopify ids until the transaction ends."""
    vault = reading.vault
    lock_stripes(db, vault.shop_id, {stripe_of(vault.key.id_hash(each)) for each in numbers})


def open_locked(db: Connection, reading: Reading, ids: Iterable[bytes], now: Instant) -> dict[bytes, Owned]:
    """These customers as the system may be told of them, kept from everybody else until the transaction ends."""
    wanted = list(ids)
    lock(db, reading, owned.numbers(db, reading.vault.shop_id, wanted).values())
    found = owned.load(db, reading.vault, wanted, reading.policy.namespaces)
    with_points(db, reading.vault, reading.policy, reading.system, found, now)
    optouts.hold(db, reading.vault, reading.policy, reading.system, found, now)
    return found


def keep(reading: Reading, one: Remote, customer: Owned, settled: Settled, now: Instant) -> None:
    """Write down on a side which fields are in step, since when the others are not, and what each stands for."""
    was = one.unclean or {}
    last = max(filter(None, (one.clean, reading.clean_before if one.clean else None)), default=None)
    one.unclean = {name: was.get(name, last) for name in sorted(settled.unclean)} or None
    one.clean = now
    # Like a customer's own digests these have none of what is empty, so that both are compared as they are.
    one.digests = {
        name: customer.key.digest(value)
        if name in settled.level
        else customer.key.digest([DIFFERENT, one.fields.get(each.remote)])
        for name, each in reading.policy.maps(reading.system).items()
        if each.remote in one.fields
        and ((value := mapping.own_value(name, customer.fields)) is not None or name not in settled.level)
    }


def comes_in(policy: Policy, system: str) -> frozenset[str]:
    """The fields that a system may write."""
    ways = (Direction.IN, Direction.BOTH)
    return frozenset(name for name, each in policy.maps(system).items() if each.direction in ways)


def owns(policy: Policy, system: str) -> frozenset[str]:
    """The fields that are a system's own, of those that it may write."""
    return frozenset(name for name in comes_in(policy, system) if policy.owner_of(name) == system)


def decided(reading: Reading, customer: bytes, settled: Settled) -> list[tuple[bytes, str, str, str]]:
    """What may be parked of what a system says and needs nobody's decision any more, now that both say the same.

    That is what the system owns, and what two had changed at once of whom neither was to overwrite the other. An edit
    of anybody else stays parked though it was put right: a person may think it the better one.
    """
    policy, system = reading.policy, reading.system
    rules = {name: policy.fields.get(name) for name in settled.level}
    own = owns(policy, system)
    ended = [
        name
        for name, rule in rules.items()
        if name in own or (rule is not None and rule.shared is not None and rule.shared.conflict == "manual")
    ]
    return [(customer, system, name, parked.IN) for name in ended]


def refuse_change(db: Connection, reading: Reading) -> None:
    """Raise CycleOvertaken unless all is as the cycle found it: a pause or a new owner must not wait for its end."""
    system = systems.get(db, reading.vault.shop_id, reading.system)
    if system.state != systems.ACTIVE:
        raise CycleOvertaken("The system was paused while its cycle was under way; what was left waits.")
    if policies.version(db, reading.vault.shop_id) != reading.policy.version:
        raise CycleOvertaken("The policy changed while the cycle was under way; the next one goes by the new one.")
