"""Points as a field of a customer, for the systems that are told of them."""

from collections.abc import Mapping

from sqlalchemy import Connection

from onewriter.customers.owned import Owned
from onewriter.loyalty import accounts, points, programme
from onewriter.records import Instant
from onewriter.rules.policy import POINTS, Policy
from onewriter.vault.vault import ShopVault


def with_points(
    db: Connection, vault: ShopVault, policy: Policy, system: str, people: Mapping[bytes, Owned], now: Instant
) -> None:
    """Give each of these customers the points that can be spent now, if the system is told of points at all."""
    if POINTS not in policy.maps(system):
        return
    version = programme.current(db, vault.shop_id)
    number = None if version is None else version.number
    known = accounts.load(db, list(people))
    for identity, person in people.items():
        account = known.get(identity)
        if account is not None and not account.holds(now, number):
            account = points.account_of(db, vault, identity, now)
        person.fields[POINTS] = 0 if account is None else account.balance
