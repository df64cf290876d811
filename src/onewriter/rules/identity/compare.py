"""Bare values: whether two raw values are the same key, with nothing known of whose they are."""

from typing import Literal

from onewriter.rules.identity.decide import Decision, weakest
from onewriter.rules.identity.emails import read_email
from onewriter.rules.identity.ids import read_id
from onewriter.rules.identity.phones import read_phone
from onewriter.rules.identity.strength import Strength
from onewriter.rules.identity.text import skeleton

ValueKind = Literal["email", "phone", "id", "name"]
VALUE_KINDS: tuple[ValueKind, ...] = ("email", "phone", "id", "name")


def compare_values(
    kind: ValueKind, raw_a: str | None, region_a: str | None, raw_b: str | None, region_b: str | None
) -> Decision:
    """Whether two raw values are one key. What needs a record to decide, a soft key above all, is for a person."""
    if kind == "name":
        return Decision("no_match", None, "a name is never a key")
    if kind == "id":
        return _ids(raw_a, raw_b)
    if kind == "email":
        one, other = read_email(raw_a), read_email(raw_b)
        return _values(
            kind, (one.tight, one.soft, one.strength, one.problem, one.repairs),
            (other.tight, other.soft, other.strength, other.problem, other.repairs),
        )  # fmt: skip
    mine, theirs = read_phone(raw_a, region_a), read_phone(raw_b, region_b)
    return _values(
        kind, (mine.tight, mine.soft, mine.strength, mine.problem, mine.repairs),
        (theirs.tight, theirs.soft, theirs.strength, theirs.problem, theirs.repairs),
    )  # fmt: skip


Read = tuple[str | None, str | None, Strength, str | None, tuple[str, ...]]


def _values(kind: str, one: Read, other: Read) -> Decision:
    (tight, soft, strength, problem, repairs), (tight_b, soft_b, strength_b, problem_b, repairs_b) = one, other
    found = weakest(strength, strength_b)
    done = tuple(dict.fromkeys((*repairs, *repairs_b)))
    if tight is not None and tight == tight_b:
        if found == "blocked":
            return Decision("no_match", kind, "a placeholder, which is nobody's")
        if found == "weak":
            return Decision("review", kind, "one value, which several people can share", (), done)
        return Decision("match", kind, "one value" + (", but for its format" if done else ""), (), done)
    if soft is not None and soft == soft_b and found != "blocked":
        return Decision("review", f"soft {kind}", _SOFT[kind], (), done)
    if tight is None or tight_b is None:
        return Decision("no_match", None, f"no key in one of them: {problem or problem_b}")
    return Decision("no_match", None, "two values")


_SOFT = {
    "email": "addresses that may be one mailbox: they differ in tags, dots or how a letter is written",
    "phone": "numbers that may be one line: they differ in extension or prefix, or in a country that is not known",
}


def _ids(raw_a: str | None, raw_b: str | None) -> Decision:
    one, other = read_id(raw_a), read_id(raw_b)
    if one is None or other is None:
        return Decision("no_match", None, "no key in one of them")
    if one == other:
        changed = raw_a != raw_b
        return Decision("match", "id", "one id" + (", but for its format" if changed else ""), (),
                        ("format",) if changed else ())  # fmt: skip
    if _loose(one) == _loose(other):
        return Decision("review", "id", "ids that differ in case, in zeros before them or in how a letter is written")
    return Decision("no_match", None, "two ids")


def _loose(found: str) -> str:
    return skeleton(found.lower()).lstrip("0")
