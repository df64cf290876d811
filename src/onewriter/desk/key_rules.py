"""By what a person is known: the keys that count, and what others would split and join before they are set."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import disconnecting, key_changes, policies, systems
from onewriter.customers.key_changes import Change, Changes
from onewriter.customers.people import Role
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import choose_shop
from onewriter.desk.mapping import key_rule
from onewriter.errors import BadInput, Permanent
from onewriter.records import id_text
from onewriter.rules.policy import KeyRule

KINDS = {
    "splits": "links that would be gone",
    "moves": "records that would be another customer's",
    "joins": "records of nobody that would be linked",
}
"""What other keys can change, as people read it."""
EXAMPLES = 10
EXAMPLES_MAX = 1000
SHARED_MAX = 1000
"""The most that may share a value which links."""
RECORDS_MAX = 20_000
"""Records that are matched again while somebody waits at a browser."""


class TooManyRecords(Permanent):
    """There are more records than can be matched again while somebody waits."""


class Keys(TypedDict):
    """By what a person is known."""

    keys: list[str]
    soft_email: bool
    shared_by_max: int


class Checked(TypedDict):
    """What other keys would change."""

    shop: str
    keys: Keys
    keys_now: Keys
    records: int
    by_hand: int
    counts: dict[str, int]
    examples: dict[str, list[dict[str, Any]]]


class Given(TypedDict, total=False):
    """What of the keys is to be otherwise; what is left out stays."""

    named: str | None
    soft_email: bool | None
    shared_by_max: int | None


def now(caller: Caller, named: str | None) -> Keys:
    """The keys that count now."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return shown(policies.of_shop(db, choose_shop(db, named).id).identity)


def check(
    caller: Caller,
    named: str | None,
    given: Given,
    examples: int = EXAMPLES,
    tell: Callable[[int], None] = lambda _looked: None,
    most: int | None = None,
) -> Checked:
    """Match every record of every system again with these keys, and tell what would change; nothing is changed.

    Without anything given it is matched with the keys that count now. `tell` hears how many records were looked at;
    of more than `most` none is looked at, and TooManyRecords is raised.
    """
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        policy = policies.of_shop(db, shop.id)
        rule = rule_of(policy.identity, given)
        if most is not None and _records(db, shop.id) > most:
            raise TooManyRecords(
                f"There are more than {most:,} records, which takes longer than a browser waits; "
                "`onewriter fields keys check` tells it at a terminal."
            )
        found = key_changes.compare(db, caller.runtime.vault(shop.id), policy, rule, examples, tell)
    return {
        "shop": shop.domain,
        "keys": shown(rule),
        "keys_now": shown(policy.identity),
        "records": found.looked,
        "by_hand": found.counts["by hand"],
        "counts": {kind: found.counts[kind] for kind in KINDS},
        "examples": _examples(found),
    }


def records(caller: Caller, named: str | None) -> int:
    """How many records would be matched again."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return _records(db, choose_shop(db, named).id)


def _records(db: Connection, shop_id: int) -> int:
    """How many records its other systems have told of."""
    return sum(
        disconnecting.counted(db, shop_id, each.name)["records"]
        for each in systems.every(db, shop_id)
        if not each.is_shopify
    )


def rule_of(now: KeyRule, given: Given) -> KeyRule:
    """The rule that counts now, with what was given; raises BadInput for a number of sharers that is none."""
    most = given.get("shared_by_max")
    if most is not None and not 1 <= most <= SHARED_MAX:
        raise BadInput(f"A value that links is shared by 1 to {SHARED_MAX:,}.", "shared_by_max")
    return key_rule(now, given.get("named"), given.get("soft_email"), most)


def changes_anything(found: Mapping[str, Any]) -> bool:
    """Whether a link would be gone, or come."""
    return any(found["counts"].values())


def shown(rule: KeyRule) -> Keys:
    """The keys, as a document."""
    return {"keys": list(rule.keys), "soft_email": rule.soft_email, "shared_by_max": rule.shared_by_max}


def _examples(found: Changes) -> dict[str, list[dict[str, Any]]]:
    return {kind: [_change(each) for each in some] for kind, some in found.examples.items()}


def _change(one: Change) -> dict[str, Any]:
    return {
        "system": one.system,
        "record": one.record,
        "customer": None if one.now is None else id_text(one.now),
        "then": None if one.then is None else id_text(one.then),
        "waits_for_a_person": one.waits,
        "reason": one.reason,
    }
