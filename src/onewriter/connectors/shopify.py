"""Shopify as a connected system: fields that others own, tags, consents and points are written back to it.

The runtime opens it with the shop's client; it is no kind that a person adds, since every shop has it. What changed in
Shopify comes by deliveries, bulk files and reads of its own (`shopify/`); the reading here is for checking a write and
for who wants Shopify as a system like the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onewriter.connectors.interface import (
    Capabilities,
    Conflict,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    Rejected,
    RetryAfter,
    State,
    Unchanged,
    Wanted,
)
from onewriter.connectors.shopify_fields import (
    ADDRESSES_MAX,
    POINTS_NAMESPACE,
    SELECTED,
    Selection,
    customer_number,
    described,
    is_known,
    is_plain,
    same,
    unfit,
)
from onewriter.connectors.shopify_refusals import NO_RIGHT
from onewriter.connectors.shopify_sending import PAUSE_S, Sending
from onewriter.connectors.shopify_steps import Write, steps_of, tag_changes
from onewriter.errors import (
    NotUnderstood,
    ScopeMissing,
    ShopifyRefused,
    ShopifyThrottled,
    ShopifyUnreachable,
    SystemChanged,
    SystemRefused,
    SystemThrottled,
    SystemUnreachable,
    TokenRefused,
)
from onewriter.records import SECOND, Instant, iso, parse_instant
from onewriter.rules.policy import POINTS, TAGS, is_namespace
from onewriter.shopify import nodes, reads, scopes
from onewriter.shopify.client import AdminClient
from onewriter.shopify.nodes import CUSTOMER, Node

BATCH = 250
PAGE_MAX = 100
OVERLAP: Instant = 60 * SECOND
"""How far before the last reading the next one begins: a change shows in Shopify's lists some seconds late."""
HIDDEN_PAUSE_S = 10.0
TAGS_MAX = 250


@contextmanager
def as_system() -> Iterator[None]:
    """The border where errors of Shopify's become those of a connected system, with the same words."""
    try:
        yield
    except ShopifyThrottled as error:
        raise SystemThrottled(str(error), error.retry_after_s) from None
    except ShopifyUnreachable as error:
        raise SystemUnreachable(str(error)) from None
    except (ScopeMissing, ShopifyRefused, TokenRefused) as error:
        raise SystemRefused(str(error)) from None
    except NotUnderstood as error:
        raise SystemChanged(f"Shopify answers in a form that we cannot read: {error}") from None


@dataclass(frozen=True, slots=True)
class _Read:
    """A customer as it was just read: the node for what is written, the record for what is compared."""

    node: Mapping[str, Any]
    record: Record


class ShopifyConnector:
    """Shopify's customers by the interface of connectors. The client is the caller's, and stays open.

    `namespaces` are the tag namespaces of the policy: a tag in none of them belongs to `tags`. Left out, they are those
    that are wanted. `points_namespace` is that of the metafield with the points.
    """

    def __init__(
        self,
        client: AdminClient,
        wanted: Wanted,
        *,
        namespaces: Sequence[str] | None = None,
        points_namespace: str = POINTS_NAMESPACE,
    ) -> None:
        self._client, self._wanted = client, wanted
        names = tuple(dict.fromkeys((*wanted.read, *wanted.write)))
        known = tuple(name for name in names if is_known(name))
        if namespaces is None:
            namespaces = [name for name in names if is_namespace(name)]
        parts = tuple(dict.fromkeys((*namespaces, *(name for name in known if is_namespace(name)))))
        self._selection = Selection(known, parts, points_namespace)

    def close(self) -> None:
        """Nothing is held: the client belongs to whoever opened it."""

    # ---- What it is

    def check(self) -> Sequence[Problem]:
        """Whether the token may read and write what is wanted, and whether Shopify shows it."""
        with as_system():
            granted = reads.survey(self._client).scopes
            missing = [each for each in scopes.missing(granted) if each.required]
            problems = [
                Problem("permission", f"The token lacks the scope {each.scope}; grant it in the app and connect again.")
                for each in missing
            ]
            if self._wanted.write and not scopes.grants(granted, scopes.WRITE):
                words = f"Nothing can be written: {NO_RIGHT}; grant it in the app and connect the shop again."
                problems.append(Problem("permission", words))
            problems += self._unknown()
            return problems if missing else [*problems, *self._hidden()]

    def _unknown(self) -> list[Problem]:
        problems = []
        for name in dict.fromkeys((*self._wanted.read, *self._wanted.write)):
            if not is_known(name):
                problems.append(Problem("field", f"Shopify has no field {name} of a customer; name another.", name))
            elif name in self._wanted.write and not described(name, writable=True).writable:
                problems.append(Problem("field", f"Shopify lets nobody write {name}; take it from there only.", name))
        return problems

    def _hidden(self) -> list[Problem]:
        """What the app may not see for want of Shopify's approval, learnt from the ten that changed last."""
        answer = self._client.query(
            "query Hidden { customers(first: 10, sortKey: UPDATED_AT, reverse: true) { nodes { "
            + self._selection.text()
            + " } } }"
        )
        paths = frozenset(".".join(map(str, error.path[3:])) for error in answer.errors)
        advice = "ask for access to protected customer data in the app's settings"
        return [
            Problem("permission", f"Shopify does not show {name} to the app; {advice}.", name)
            for name in self._selection.names
            if name in SELECTED and any(path.split(".")[0] in SELECTED[name].split() for path in paths if path)
        ]

    def discover(self) -> Discovery:
        """The fields of a customer that are known here, and every custom attribute that is wanted."""
        with as_system():
            may_write = scopes.grants(reads.survey(self._client).scopes, scopes.WRITE)
        names = dict.fromkeys((*SELECTED, POINTS, *self._selection.namespaces, *self._selection.names))
        return Discovery(
            tuple(described(name, writable=may_write) for name in names),
            Capabilities(cursor="field", batch=BATCH, creates=False, webhooks=True),
        )

    # ---- Reading

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """The customers in the order of their last change, as Shopify dates it: not every change of tags, consents and
        metafields moves that date.
        """
        since = None if state is None else state.value.get("since")
        try:
            start = None if since is None else parse_instant(since)
        except (TypeError, ValueError):
            raise SystemChanged("The state to read on from is not one of Shopify's; read everything.") from None
        with as_system():
            yield from self._walked(start)

    def _walked(self, start: Instant | None) -> Iterator[Record | State]:
        document = (
            "query Walk($first: Int!, $after: String, $search: String) {\n"
            "  customers(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {\n"
            f"    nodes {{ {self._selection.text()} }}\n    pageInfo {{ hasNextPage endCursor }}\n  }}\n}}"
        )
        search = None if start is None else f"updated_at:>='{iso(start)}'"
        after, began = None, None
        while True:
            page = nodes.listed(self._client, document, CUSTOMER, PAGE_MAX, search=search, after=after)
            began = began or page.date or self._client.now()
            _above, inside = nodes.errors_by_place(page.errors, 2)
            for place, node in enumerate(page.nodes):
                if node is None:
                    raise ShopifyUnreachable("Shopify left a customer out of its answer; it will be tried again.")
                denied = frozenset(".".join(map(str, error.path[3:])) for error in inside.get(place, ()))
                yield self._selection.record(node, denied)
            after = page.after
            if after is None:
                break
        yield State({"since": iso(began - OVERLAP)})

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """The customers of these ids; Shopify is asked by id only."""
        if by is not None:
            raise SystemRefused(f"Shopify's customers are looked up by their id only, not by {by}.")
        numbers = [number for key in keys if (number := customer_number(key)) is not None]
        with as_system():
            for node in self._nodes(numbers):
                if node.value is not None:
                    yield self._told(node).record
                elif node.hidden_by is not None:
                    raise ShopifyUnreachable(f"Shopify does not show a customer ({node.hidden_by}); try again.")

    def _nodes(self, numbers: Sequence[int]) -> Iterator[Node]:
        document = (
            f"query Held($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {self._selection.text()} }} }} }}"
        )
        for batch, _date in nodes.by_id(self._client, document, CUSTOMER, numbers):
            yield from batch

    def _told(self, node: Node) -> _Read:
        denied = frozenset(".".join(map(str, error.path[2:])) for error in node.inside)
        return _Read(node.value, self._selection.record(node.value, denied))

    # ---- Writing

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """Write what differs from what is there now. Where a part of a patch was written and a part refused, the
        outcome is ambiguous: it is read back, and what is left is refused by itself the next time.
        """
        if len(patches) > BATCH:
            raise SystemRefused(f"More than {BATCH} patches at once.")
        outcomes: dict[int, Outcome] = {}
        for place, patch in enumerate(patches):
            if (refusal := self._unfit(patch)) is not None:
                outcomes[place] = refusal
        sent, pause = False, None
        for some in _rounds({place: patch for place, patch in enumerate(patches) if place not in outcomes}):
            try:
                written: dict[int, Outcome] = self._written(some) if pause is None else dict.fromkeys(some, pause)
            except (SystemThrottled, SystemUnreachable, SystemRefused, SystemChanged) as error:
                # What was written before must not be forgotten because the rest could not be.
                if not sent:
                    raise
                pause = RetryAfter(getattr(error, "retry_after_s", PAUSE_S))
                written = dict.fromkeys(some, pause)
            sent = True
            outcomes |= written
            pause = next((each for each in written.values() if isinstance(each, RetryAfter)), pause)
        return [outcomes[place] for place in range(len(patches))]

    def _written(self, patches: Mapping[int, FieldPatch]) -> dict[int, Outcome]:
        """What became of patches by their places, of which no two are of one customer."""
        outcomes: dict[int, Outcome] = {}
        with as_system():
            held = self._held(list(patches.values()))
            writes = []
            for place, patch in patches.items():
                found = self._difference(place, patch, held)
                if isinstance(found, Write):
                    writes.append(found)
                else:
                    outcomes[place] = found
            sent = Sending(self._client, self._selection, {each.place: each.id for each in writes})
            return outcomes | sent.send(steps_of(writes, self._selection))

    def _unfit(self, patch: FieldPatch) -> Rejected | None:
        """Why a patch is not sent at all; nothing was asked of Shopify for that."""
        if patch.key is None:
            return Rejected(None, "customers are made in Shopify, and not from here")
        if customer_number(patch.key) is None:
            return Rejected(None, "not an id of a customer of Shopify's")
        for name in (*patch.set, *patch.clear):
            if name not in self._selection.names:
                unknown = "not one of the fields that this was opened for" if is_known(name) else "no such field"
                return Rejected(name, unknown)
            field = described(name, writable=True)
            if not field.writable:
                return Rejected(name, "Shopify lets nobody write it")
            if name in patch.clear or patch.set[name] is None:
                if not field.clearable:
                    return Rejected(name, "it cannot be emptied in Shopify")
            elif (refusal := unfit(field, patch.set[name], self._selection.namespaces)) is not None:
                return refusal
        return None

    def _held(self, patches: Sequence[FieldPatch]) -> dict[int, Node]:
        numbers = [number for patch in patches if (number := customer_number(patch.key or "")) is not None]
        return {node.number: node for node in self._nodes(numbers)}

    def _difference(self, place: int, patch: FieldPatch, held: Mapping[int, Node]) -> Write | Outcome:
        """What of a patch is not so already, or what became of it without a write."""
        number = customer_number(patch.key or "")
        node = held[number or 0]
        key = str(number)
        if node.value is None:
            if node.hidden_by == "ACCESS_DENIED":
                return Rejected(None, "Shopify does not show customers to the app")
            return Conflict(key, gone=True) if node.hidden_by is None else RetryAfter(HIDDEN_PAUSE_S)
        read = self._told(node)
        empty = (*patch.clear, *(name for name, value in patch.set.items() if value is None))
        given = {
            name: value
            for name, value in patch.set.items()
            if value is not None and ((patch.again and is_plain(name)) or not self._has(read, name, value))
        }
        clear = tuple(name for name in dict.fromkeys(empty) if read.record.fields.get(name, "hidden") is not None)
        if not given and not clear:
            return Unchanged(key)
        write = Write(place, key, given, clear, read.node)
        if "addresses" in (*given, *clear) and len(read.record.fields.get("addresses") or ()) >= ADDRESSES_MAX:
            return Rejected("addresses", f"there are {ADDRESSES_MAX} or more, of which not all are read")
        return self._too_many_tags(write) or write

    def _too_many_tags(self, write: Write) -> Rejected | None:
        """The refusal of more tags than Shopify keeps, which would come when others were taken off already."""
        names = [name for name in write.set if name == TAGS or is_namespace(name)]
        changes = [tag_changes(write.node, name, write.set[name], self._selection) for name in names]
        count = len(write.node.get("tags") or ()) + sum(len(add) - len(remove) for add, remove in changes)
        if names and count > TAGS_MAX and any(add for add, _remove in changes):
            return Rejected(names[0], f"with it there would be more than {TAGS_MAX} tags")
        return None

    def _has(self, read: _Read, name: str, value: Any) -> bool:
        if name not in read.record.fields:
            return False
        if name == TAGS or is_namespace(name):
            return not any(tag_changes(read.node, name, value, self._selection))
        return same(name, read.record.fields[name], value)


def _rounds(patches: Mapping[int, FieldPatch]) -> Iterator[dict[int, FieldPatch]]:
    """The patches in portions, none with one customer twice: what is written is compared with what was read just
    before, and that must not be what the patch before it has changed.
    """
    some: dict[int, FieldPatch] = {}
    there: set[int | None] = set()
    for place, patch in patches.items():
        number = customer_number(patch.key or "")
        if number in there:
            yield some
            some, there = {}, set()
        some[place] = patch
        there.add(number)
    if some:
        yield some
