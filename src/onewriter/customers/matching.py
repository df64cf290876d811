"""Matching: whose the records of a connected system are, by the shop's identity rule.

Candidates are looked up by blind indexes, and only they are opened. A value that too many share tells nobody apart; a
pair that a person took apart is not proposed again; and a customer of whom the system has a record already gets no
second one without a person.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, column, or_, select, values

from onewriter.customers import aliases, deciding, links, names, owned, remote, strangers
from onewriter.customers.crowds import Crowds
from onewriter.customers.links import Found, Linked, Nobody, Review
from onewriter.customers.profiles import LIVE
from onewriter.customers.rivals import Rivals
from onewriter.customers.strangers import Known
from onewriter.customers.strangers import Stranger as Stranger
from onewriter.db.bulk import in_chunks
from onewriter.db.privacytables import name_tokens
from onewriter.db.tables import customers, sides
from onewriter.records import Instant
from onewriter.rules.identity import (
    Decision,
    IdentityRule,
    Key,
    Shared,
    are_contested,
    decide,
    keys_of,
    rule_of,
    too_many,
)
from onewriter.rules.identity.decide import EMAIL, ID, ORDER, PHONE
from onewriter.rules.names import whole_key, words_in
from onewriter.rules.policy import Policy
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.vault import ShopVault

PAGE = 500
NAMES_AT_ONCE = 200
NAMESAKES_MAX = 8
"""Customers of one name who are opened to see whether an address is one of theirs in another form."""
ELSEWHERE = "the record names the Shopify id of another customer"
SEVERAL = "its keys lead to several customers"
NO_CUSTOMER = "no customer has its id, address or number"
FORMAT_ONLY = ", written in another way"

_LIVE = customers.c.state.in_(sorted(LIVE))
_OF_SHOP = customers.c.shop_id == bindparam("shop_id")
_BY_NUMBER = select(customers.c.id, customers.c.shopify_id).where(
    _OF_SHOP, customers.c.shopify_id.in_(bindparam("numbers", expanding=True)), _LIVE
)
_TAKEN = select(sides.c.customer_id, sides.c.record_id).where(
    sides.c.shop_id + 0 == bindparam("shop_id"),  # or SQLite walks all records of the system
    sides.c.system == bindparam("system"),
    sides.c.customer_id.in_(bindparam("ids", expanding=True)),
    sides.c.gone_at.is_(None),
)
_SURNAME, _GIVEN = name_tokens.alias("surname"), name_tokens.alias("given")


def find(
    db: Connection, vault: ShopVault, policy: Policy, system: str, people: Sequence[Stranger], *, anew: bool = False,
    began: Instant | None = None,
) -> dict[str, Found]:  # fmt: skip
    """Whose these records are, by name; nothing is written. One that is linked already stays so, unless `anew`.

    What was linked since the reading `began` was linked before these were looked at: where one of them may be the same
    customer as well, it is found anew with them, under its own name.
    """
    rule = rule_of(policy.identity, version=policy.version)
    rivals = Rivals(db, vault, system, {each.name for each in people}, began)
    found: dict[str, Found] = {}
    for some in in_chunks(people, PAGE):
        found |= _Matching(db, vault, policy, system, rule, anew, rivals).run(some)
    return found | rivals.settle(found)


def relink(
    db: Connection, vault: ShopVault, policy: Policy, system: str, since: Instant, now: Instant, by: str,
    *, after: str, most: int, began: Instant | None = None,
) -> tuple[dict[str, bytes], str]:  # fmt: skip
    """Match the next records behind `after` that are nobody's and share a key with a customer, if either has
    changed since then.

    Returns whose each is that was linked, and the last that was looked at; empty when there was none left.
    `erasing.end` must follow the commit.
    """
    linked: dict[str, bytes] = {}
    left = most
    while left > 0:
        met = _meeting(db, vault.shop_id, system, since, after, min(PAGE, left))
        if not met:
            return linked, ""
        after, left = met[-1], left - len(met)
        known = remote.load(db, vault, system, met)
        people = [strangers.of_remote(policy, each) for each in known.values()]
        found = find(db, vault, policy, system, people, began=began)
        linked = {name: whose for name, whose in linked.items() if name not in found}
        linked |= deciding.link_found(db, vault, system, found, policy.version, by, now)
    return linked, after


def _meeting(db: Connection, shop_id: int, system: str, since: Instant, after: str, most: int) -> list[str]:
    """The next records that belong to nobody and have a token of a customer; by the token of either value."""
    met: set[str] = set()
    for token in ("email_token", "phone_token"):
        query = (
            select(sides.c.record_id)
            .join(customers, (customers.c.shop_id == sides.c.shop_id) & (customers.c[token] == sides.c[token]))
            .where(sides.c.shop_id == shop_id, sides.c.system == system, sides.c.record_id > after)
            .where(sides.c.customer_id.is_(None), sides.c.gone_at.is_(None), _LIVE)
            .where(or_(customers.c.changed_at >= since, sides.c.changed_at >= since))
            .distinct()
            .order_by(sides.c.record_id)
            .limit(most)
        )
        met.update(db.execute(query).scalars())
    return sorted(met)[:most]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What was decided of a record and one candidate."""

    customer: bytes
    decision: Decision
    elsewhere: bool
    """The record names the id of somebody else."""

    @property
    def rank(self) -> int:
        return len(ORDER) if self.decision.key is None else ORDER.index(self.decision.key)


@dataclass(slots=True)
class _Matching:
    """One batch of records while their customers are looked for."""

    db: Connection
    vault: ShopVault
    policy: Policy
    system: str
    rule: IdentityRule
    anew: bool
    rivals: Rivals
    people: dict[str, Known] = field(default_factory=dict)
    candidates: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    known: dict[bytes, Known] = field(default_factory=dict)
    """The candidates, opened."""

    def run(self, some: Sequence[Stranger]) -> dict[str, Found]:
        live = self.vault.index.live(names.version_of(self.db, self.vault.shop_id))
        self.people = {each.name: strangers.known(self.policy, self.system, each, self.vault.region) for each in some}
        on_record = links.among(self.db, self.vault.shop_id, self.system, list(self.people))
        kept = {each.record: each for each in on_record if each.state == links.LINKED and not self.anew}
        broken = {(each.record, each.customer_id) for each in on_record if each.state == links.BROKEN}
        for name in kept:
            del self.people[name]
        crowds = Crowds.look(self.db, self.vault, self.system, self.people, live, self.rule.nameless_max)
        for name, ids in crowds.customers.items():
            self.candidates[name] |= ids
        self._by_number()
        self._open()
        self._by_name(live)
        shared = self._shared(crowds)
        judged = {name: self._judge(name, shared, broken) for name in self.people}
        self.rivals.look({each.customer for some in judged.values() for each in some})
        taken = self._taken(judged)
        found = {name: self._choose(name, each, taken, shared) for name, each in judged.items()}
        return found | {
            name: Linked(each.customer_id, each.matched_by, links.LINKED_BEFORE) for name, each in kept.items()
        }

    def _by_number(self) -> None:
        """Candidates by the Shopify id that a record names; of one that was merged away, who it is now."""
        wanted: dict[int, list[str]] = defaultdict(list)
        for name, each in self.people.items():
            if each.number is not None and "id" in self.rule.keys:
                wanted[each.number].append(name)
        merged = aliases.load(self.db, self.vault, wanted) if wanted else {}
        for number in merged:
            into = aliases.into(self.db, self.vault, number)
            for name in wanted.pop(number) if into is not None else ():
                assert into is not None
                self._say(name, into)
                wanted[into].append(name)
        for some in in_chunks(sorted(wanted)):
            for row in self.db.execute(_BY_NUMBER, {"shop_id": self.vault.shop_id, "numbers": list(some)}):
                for name in wanted[row.shopify_id]:
                    self.candidates[name].add(bytes(row.id))

    def _say(self, name: str, number: int) -> None:
        """Have a record name the customer whom the one that it names was merged into."""
        one = self.people[name]
        self.people[name] = replace(one, number=number, prepared=replace(one.prepared, ids=(f"shopify:{number}",)))

    def _open(self) -> None:
        wanted = {each for ids in self.candidates.values() for each in ids} - self.known.keys()
        for identity, each in owned.load(self.db, self.vault, sorted(wanted)).items():
            if each.live:
                region = self.vault.region
                self.known[identity] = strangers.of_customer(identity, each.shopify_id, each.fields, region)

    def _by_name(self, live: Sequence[IndexKey]) -> None:
        """Candidates for records that no tight key leads from: namesakes, whose address may be the same mailbox.

        Never because of the name: it only finds those whose addresses are worth comparing, and they decide.
        """
        if not self.rule.soft_email or "email" not in self.rule.keys:
            return
        wanted = [
            (name, key.name_token(whole_key(words[0])), key.name_token(whole_key(words[1])))
            for name, words in self._unmatched_names()
            for key in live
        ]
        for asked in in_chunks(wanted, NAMES_AT_ONCE):
            for name, ids in _namesakes(self.db, asked).items():
                self.candidates[name].update(ids)
        self._open()
        for some in self.candidates.values():
            some &= self.known.keys()

    def _unmatched_names(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """The records that have an address and a whole name and no candidate, with the first word of either part."""
        for name, each in self.people.items():
            first, last = (words_in(each.written[part]) for part in ("first_name", "last_name"))
            if first and last and each.prepared.email.soft is not None and not self.candidates.get(name):
                yield name, (first[0], last[0])

    def _shared(self, crowds: Crowds) -> Shared:
        """Which values tell nobody apart, and which two people share."""
        refused = dict(crowds.refused)
        contested = set()
        for key, sharers in self._sharers().items():
            if key in refused or len(sharers) < 3:
                continue
            named = [each.prepared.name for each in sharers]
            reason = too_many(named, self.rule)
            if reason is not None:
                refused[key] = reason
            elif are_contested(named):
                contested.add(key)
        return Shared(refused, frozenset(contested))

    def _sharers(self) -> Mapping[Key, list[Known]]:
        found: dict[Key, list[Known]] = defaultdict(list)
        for each in (*self.people.values(), *self.known.values()):
            for kind, value in ((EMAIL, each.prepared.email.tight), (PHONE, each.prepared.phone.tight)):
                if value is not None:
                    found[kind, value].append(each)
        return found

    def _judge(self, name: str, shared: Shared, broken: set[tuple[str, bytes]]) -> list[_Judged]:
        one = self.people[name]
        found = []
        for customer in sorted(self.candidates.get(name, ())):
            other = self.known.get(customer)
            if other is None or (name, customer) in broken:
                continue
            decision = decide(one.prepared, other.prepared, self.rule, shared=shared)
            reason = decision.reason + (FORMAT_ONLY if _is_format_only(decision, one, other) else "")
            elsewhere = one.number is not None and other.number is not None and one.number != other.number
            found.append(_Judged(customer, replace(decision, reason=reason), elsewhere))
        return sorted(found, key=lambda each: (each.rank, each.customer))

    def _taken(self, judged: Mapping[str, Iterable[_Judged]]) -> dict[bytes, set[str]]:
        """The records that these customers have in the system already."""
        ids = {each.customer for some in judged.values() for each in some}
        found: dict[bytes, set[str]] = defaultdict(set)
        for part in in_chunks(sorted(ids)):
            wanted = {"shop_id": self.vault.shop_id, "system": self.system, "ids": list(part)}
            for row in self.db.execute(_TAKEN, wanted):
                found[bytes(row.customer_id)].add(row.record_id)
        return found

    def _choose(self, name: str, judged: Sequence[_Judged], taken: Mapping[bytes, set[str]], shared: Shared) -> Found:
        matches = [each for each in judged if each.decision.decision == "match"]
        if not matches:
            worth = [each for each in judged if each.decision.decision == "review"]
            if worth:
                return _review(worth, worth[0].decision.reason)
            return Nobody(judged[0].decision.reason if judged else self._why_nobody(name, shared))
        best = matches[0]
        if best.decision.key != ID:
            if len(matches) > 1:
                return _review(matches, SEVERAL)
            if best.elsewhere:
                return _review(matches, ELSEWHERE)
        if taken.get(best.customer, set()) - {name} - self.rivals.early(best.customer):
            return _review([best], f"another record of {self.system} is linked to that customer")
        self.rivals.ranks[name] = best.rank
        return Linked(best.customer, best.decision.key or ID, best.decision.reason)

    def _why_nobody(self, name: str, shared: Shared) -> str:
        """Why a record has no candidate: nobody has its keys, or too many."""
        crowded = (key for key in keys_of(self.people[name].prepared, self.rule) if key in shared.refused)
        return next((f"too many share the {key[0]}: {shared.refused[key]}" for key in crowded), NO_CUSTOMER)


def _namesakes(db: Connection, wanted: Sequence[tuple[str, int, int]]) -> dict[str, list[bytes]]:
    """The first few customers whose names have both of these tokens, by the name of the record that asks."""
    columns = (column("record", Text), column("first", BigInteger), column("last", BigInteger))
    asked: Any = values(*columns, name="asked").data(list(wanted)).cte()
    # By the surname first, which fewer people share.
    query = (
        select(asked.c.record, _SURNAME.c.customer_id)
        .join_from(asked, _SURNAME, _SURNAME.c.token == asked.c.last)
        .join(_GIVEN, (_GIVEN.c.customer_id == _SURNAME.c.customer_id) & (_GIVEN.c.token == asked.c.first))
    )
    found: dict[str, list[bytes]] = defaultdict(list)
    for row in db.execute(query):
        found[row[0]].append(bytes(row[1]))
    return {name: sorted(ids)[:NAMESAKES_MAX] for name, ids in found.items()}


def _review(some: Sequence[_Judged], reason: str) -> Review:
    return Review(tuple(each.customer for each in some), some[0].decision.key or ID, reason)


def _is_format_only(decision: Decision, one: Known, other: Known) -> bool:
    """True where the key is one, and the two systems write it in two ways: by raw values they would be two people."""
    name = {EMAIL: "email", PHONE: "phone"}.get(decision.key or "")
    return decision.decision == "match" and name is not None and one.written[name] != other.written[name]
