"""Tags and their namespaces: `tags[vip:*]` may have another owner than the rest, which is `tags`.

A tag belongs to the namespace with the longest prefix that it has. Tags are the same in capitals and small letters, as
they are to Shopify.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from onewriter.records import Value
from onewriter.rules.policy import TAGS, is_namespace, prefix_of


def home_of(tag: str, namespaces: Collection[str]) -> str:
    """The field that a tag belongs to: a namespace, or `tags`."""
    folded = tag.casefold()
    within = [name for name in namespaces if folded.startswith(prefix_of(name).casefold())]
    return max(within, key=lambda name: (len(prefix_of(name)), name), default=TAGS)


def split_tags(tags: Sequence[str] | None, namespaces: Sequence[str]) -> dict[str, list[str] | None]:
    """The tags by the field that they belong to: `tags` and each namespace; each sorted, or None without any."""
    found: dict[str, list[str]] = {name: [] for name in (TAGS, *namespaces)}
    for tag in tags or ():
        found[home_of(tag, namespaces)].append(tag)
    return {name: sorted(set(each)) or None for name, each in found.items()}


def join_tags(parts: dict[str, Value]) -> list[str] | None:
    """All tags of these fields together, sorted; what else stands in `parts` is left alone."""
    every = {tag for name, each in parts.items() if is_tags(name) for tag in each or ()}
    return sorted(every) or None


def resplit(own: dict[str, Value], namespaces: Sequence[str]) -> bool:
    """Put a customer's tags under the names that the policy has for them now; True if that moved any."""
    held = [name for name in own if is_namespace(name)]
    if set(held) == set(namespaces) or (TAGS not in own and not held):
        return False
    parts = split_tags(join_tags({name: own.get(name) for name in (TAGS, *held)}), namespaces)
    for name in held:
        del own[name]
    own.update(parts)
    return True


def is_tags(name: str) -> bool:
    """True for the field of tags and for each namespace of them."""
    return name == TAGS or is_namespace(name)


def change(
    held: Sequence[str] | None, wanted_part: Sequence[str] | None, namespace: str | None, namespaces: Sequence[str]
) -> tuple[list[str], list[str]]:
    """What to add to the tags that are held, and what to remove, so that one part of them is as it is wanted.

    The part is a namespace, or None for the tags that have none. Whatever belongs to another part stays.
    """
    mine = namespace or TAGS
    return differences(held, wanted_part, lambda tag: home_of(tag, namespaces) == mine)


def with_change(
    now: Sequence[str] | None, before: Sequence[str] | None, told: Sequence[str] | None
) -> list[str] | None:
    """The tags that stand now, with what somebody added and removed between two other lists; None without any."""
    add, remove = differences(before, told, lambda _tag: True)
    gone = {tag.casefold() for tag in remove}
    left = [tag for tag in now or () if tag.casefold() not in gone]
    there = {tag.casefold() for tag in left}
    return sorted({*left, *(tag for tag in add if tag.casefold() not in there)}) or None


def differences(
    held: Iterable[str] | None, wanted: Iterable[str] | None, is_mine: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """What to add and what to remove, of what is mine to change; another spelling of the same tag is no difference."""
    there = {tag.casefold() for tag in held or ()}
    want = {tag.casefold() for tag in wanted or ()}
    add = sorted({tag.casefold(): tag for tag in wanted or () if tag.casefold() not in there}.values())
    remove = sorted({tag for tag in held or () if is_mine(tag) and tag.casefold() not in want})
    return add, remove
