"""The identity rule of a shop: which keys tell that two records are one person, in order, and where a key ends.

One rule a shop, with a version: what was linked under one version is judged anew under the next.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from onewriter.errors import NotUnderstood
from onewriter.rules.policy import KeyRule

KeyKind = Literal["id", "email", "phone"]
KEYS: tuple[KeyKind, ...] = ("id", "email", "phone")
_NAMES = frozenset({"name", "names", "first_name", "last_name", "full_name", "fullname", "surname", "given_name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRule:
    """What links, and how far. Made by `rule_of`, which refuses what can be no key."""

    keys: tuple[KeyKind, ...] = KEYS
    soft_email: bool = True
    """Whether an address that is equal but for tags, dots and the like links where both names agree."""
    nameless_max: int = 4
    """Records without a name that may share a value; of more, it tells nobody apart."""
    surnames_max: int = 2
    """Surnames that may share a value; of more, it is a company's, a till's or a shared mailbox."""
    givens_max: int = 6
    """Given names that may share a value; of more, it is a house's or a school's, even where all have one surname."""
    records_max: int = 25
    """Records that may share a value at all."""
    cluster_max: int = 8
    """Records that are proposed as one person; more are for a person to look at."""
    blocked: frozenset[str] = frozenset()
    """Canonical values that are nobody's, such as the shop's own numbers and addresses."""
    version: int = 0


DEFAULT_RULE = IdentityRule()


def rule_of(keys: KeyRule, *, version: int = 0, blocked: Iterable[str] = ()) -> IdentityRule:
    """The rule by what a policy says; NotUnderstood for a key that can be none, names above all (requirement M65)."""
    kinds: list[KeyKind] = []
    for name in keys.keys:
        kind = _kind(name)
        if kind in kinds:
            raise NotUnderstood(f"The identity rule names {kind} twice; name each key once, the strongest first.")
        kinds.append(kind)
    if not kinds:
        raise NotUnderstood(f"The identity rule has no key; name some of {', '.join(KEYS)}.")
    if keys.shared_by_max < 1:
        raise NotUnderstood("The identity rule's shared_by_max must be 1 or more.")
    return IdentityRule(
        keys=tuple(kinds), soft_email=keys.soft_email, nameless_max=keys.shared_by_max, blocked=frozenset(blocked),
        version=version,
    )  # fmt: skip


def _kind(name: str) -> KeyKind:
    for kind in KEYS:
        if name == kind:
            return kind
    if name.strip().lower().replace(" ", "_") in _NAMES:
        raise NotUnderstood(
            "A name is never a key: many people have one name, and one person's is written in many ways. "
            f"Name some of {', '.join(KEYS)}; names speak against a link, and for a weak one."
        )
    raise NotUnderstood(f"The identity rule names a key that there is not; there are {', '.join(KEYS)}.")
