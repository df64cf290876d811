"""The policy of a shop as it is kept: one document a version, none of which ever changes.

Saving one changes no data. A system whose next cycle would write by another policy than the one that a person agreed to
asks first; that is decided where the cycle begins, by the version that stands there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select

from onewriter.customers import shops, systems
from onewriter.db.systemtables import policies
from onewriter.errors import Permanent
from onewriter.records import Instant
from onewriter.rules.ownership import errors, problems
from onewriter.rules.policy import Policy, from_document, to_document
from onewriter.rules.policy_check import Facts, PolicyProblem, facts
from onewriter.rules.policy_toml import BadPolicy

_OF_SHOP = policies.c.shop_id == bindparam("shop_id")
_NEWEST = select(policies.c.version, policies.c.document).where(_OF_SHOP).order_by(policies.c.version.desc()).limit(1)
_ONE = select(policies.c.version, policies.c.document).where(_OF_SHOP, policies.c.version == bindparam("version"))
_HISTORY = select(policies).where(_OF_SHOP).order_by(policies.c.version)


class PolicyMoved(Permanent):
    """Somebody else set another policy meanwhile."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version with who set it, when, and why."""

    policy: Policy
    at: Instant
    set_by: str
    why: str | None


def of_shop(db: Connection, shop_id: int) -> Policy:
    """The policy in force; one that nobody has written down owns nothing to anybody."""
    row = db.execute(_NEWEST, {"shop_id": shop_id}).first()
    return Policy() if row is None else from_document(row.document, row.version)


def version(db: Connection, shop_id: int) -> int:
    """The version in force; 0 before anything was written down."""
    newest = select(func.max(policies.c.version)).where(policies.c.shop_id == shop_id)
    return db.execute(newest).scalar() or 0


def set_at(db: Connection, shop_id: int) -> Instant:
    """When the version in force was set; 0 before anything was written down."""
    newest = select(func.max(policies.c.at)).where(policies.c.shop_id == shop_id)
    return db.execute(newest).scalar() or 0


def of_version(db: Connection, shop_id: int, version: int) -> Policy:
    """The policy of that version; version 0, like one that there is not, owns nothing to anybody."""
    row = db.execute(_ONE, {"shop_id": shop_id, "version": version}).first()
    return Policy() if row is None else from_document(row.document, row.version)


def history(db: Connection, shop_id: int) -> list[Recorded]:
    """Every version, the oldest first."""
    return [
        Recorded(from_document(row.document, row.version), row.at, row.set_by, row.why)
        for row in db.execute(_HISTORY, {"shop_id": shop_id})
    ]


def facts_of(db: Connection, shop_id: int) -> Mapping[str, Facts]:
    """What is known of each of the shop's systems, as they said when they were last asked."""
    return {each.name: facts(each.kind, each.discovered) for each in systems.every(db, shop_id)}


def problems_of(db: Connection, shop_id: int, policy: Policy) -> list[PolicyProblem]:
    """What is wrong with a policy for this shop, or not wise; errors first."""
    return problems(policy, facts_of(db, shop_id))


def save(db: Connection, shop_id: int, policy: Policy, by: str, why: str | None, now: Instant) -> Policy:
    """Set a policy, which was made from the version that it names, and return it with its new one.

    The same policy as the one in force makes no new version. Raises PolicyMoved where that is not the version in force
    any more, and BadPolicy for one with an error.
    """
    # Whoever sets another one at the same moment waits here, and is told that theirs is not the newest any more.
    shops.locked(db, shop_id)
    current = of_shop(db, shop_id)
    if current.version != policy.version:
        raise PolicyMoved(
            f"The policy is of version {current.version} by now and this was made from version {policy.version}; "
            "look at it again with `onewriter fields show`."
        )
    if to_document(current) == to_document(policy):
        return current
    refuse(problems_of(db, shop_id, policy))
    saved = policy.with_version(current.version + 1)
    row = {"shop_id": shop_id, "version": saved.version, "at": now, "set_by": by, "why": why}
    db.execute(insert(policies).values(**row, document=to_document(saved)))
    return saved


def refuse(found: list[PolicyProblem]) -> None:
    """Raise BadPolicy for the first of the errors among them, with how many more there are."""
    wrong = errors(found)
    if not wrong:
        return
    left = len(wrong) - 1
    there = "There is 1 more" if left == 1 else f"There are {left} more"
    more = f" {there}; of a policy in a file, `onewriter fields check FILE` lists all." if left else ""
    raise BadPolicy(f"This policy cannot be set: {wrong[0].message}{more}")
