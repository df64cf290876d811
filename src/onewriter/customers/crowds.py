"""Crowds: who has the addresses and numbers of a batch of records, and which of these too many have.

Of each value only so many are counted as are too many, so that a till's number on every second record costs no
more than a rare one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, bindparam, column, func, select, values

from onewriter.customers.profiles import LIVE
from onewriter.customers.strangers import Known
from onewriter.db.bulk import CHUNK, in_chunks
from onewriter.db.tables import customers, sides
from onewriter.rules.identity import Key
from onewriter.rules.identity.decide import EMAIL, PHONE
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.vault import ShopVault

ROWS_MAX = 4 * CHUNK
"""Rows of a batch of tokens that are just counted; where there are more, somebody is a crowd."""
_COLUMNS = {EMAIL: "email_token", PHONE: "phone_token"}
_THESE = select(sides.c.record_id, sides.c.email_token, sides.c.phone_token).where(
    sides.c.shop_id == bindparam("shop_id"),
    sides.c.system == bindparam("system"),
    sides.c.record_id.in_(bindparam("names", expanding=True)),
)


@dataclass(slots=True)
class Crowds:
    """Whom the tight keys of a batch lead to."""

    customers: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    """Record: the live customers that have its address or its number, where not too many have it."""
    refused: dict[Key, str] = field(default_factory=dict)
    """The values that too many have, and how many."""

    @classmethod
    def look(
        cls,
        db: Connection,
        vault: ShopVault,
        system: str,
        people: Mapping[str, Known],
        keys: Sequence[IndexKey],
        most: int,
    ) -> "Crowds":
        """Look up the addresses and numbers of these records under every key that may have made a token of them."""
        found = cls()
        told = _told(db, vault.shop_id, system, people)
        for kind, name in _COLUMNS.items():
            having = _having(people, kind)
            tokens = {key.token(kind, value): value for value in having for key in keys}
            if tokens:
                found._look(db, vault.shop_id, system, kind, name, having, tokens, told, most)
        return found

    def _look(
        self,
        db: Connection,
        shop_id: int,
        system: str,
        kind: str,
        name: str,
        having: Mapping[str, list[str]],
        tokens: Mapping[bytes, str],
        told: Counter[bytes],
        most: int,
    ) -> None:
        live = (customers.c.shop_id == shop_id, customers.c.state.in_(sorted(LIVE)))
        theirs = (sides.c.shop_id == shop_id, sides.c.system == system, sides.c.gone_at.is_(None))
        enough = most + 1 + max(told.values(), default=0)
        people: Counter[str] = Counter()
        records: Counter[str] = Counter()
        for token, count in _counts(db, customers, name, list(tokens), most + 1, live):
            people[tokens[token]] += count
        for token, count in _counts(db, sides, name, list(tokens), enough, theirs):
            records[tokens[token]] += count - told[token]
        for value, sharers in having.items():
            records[value] += len(sharers)
            if people[value] > most:
                self.refused[kind, value] = f"more than {most} customers"
            elif records[value] > most:
                self.refused[kind, value] = f"more than {most} records of {system}"
        wanted = [token for token, value in tokens.items() if people[value] and (kind, value) not in self.refused]
        for some in in_chunks(wanted):
            for row in db.execute(select(customers.c.id, customers.c[name]).where(*live, customers.c[name].in_(some))):
                for record in having[tokens[bytes(row[1])]]:
                    self.customers[record].add(bytes(row[0]))


def _having(people: Mapping[str, Known], kind: str) -> dict[str, list[str]]:
    """Which of these records have which address, or number; of what is nobody's, none."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, each in people.items():
        value = each.prepared.email if kind == EMAIL else each.prepared.phone
        if value.tight is not None and value.strength != "blocked":
            found[value.tight].append(name)
    return found


def _told(db: Connection, shop_id: int, system: str, people: Iterable[str]) -> Counter[bytes]:
    """How often each token stands on the sides that we hold of these very records, which must not count twice."""
    found: Counter[bytes] = Counter()
    for some in in_chunks(list(people)):
        for row in db.execute(_THESE, {"shop_id": shop_id, "system": system, "names": list(some)}):
            found.update(bytes(token) for token in (row.email_token, row.phone_token) if token is not None)
    return found


def _counts(
    db: Connection, table: Table, name: str, tokens: Sequence[bytes], enough: int, where: Sequence[ColumnElement[bool]]
) -> Iterable[tuple[bytes, int]]:
    """How many rows have each of these tokens, up to that many; nothing of tokens that none has."""
    for some in in_chunks(tokens):
        rows = select(table.c[name]).where(*where, table.c[name].in_(some)).limit(ROWS_MAX)
        counted = Counter(map(bytes, db.execute(rows).scalars()))
        if counted.total() < ROWS_MAX:
            yield from counted.items()
        else:
            yield from _one_by_one(db, table, name, some, enough, where)


def _one_by_one(
    db: Connection, table: Table, name: str, tokens: Sequence[bytes], enough: int, where: Sequence[ColumnElement[bool]]
) -> Iterable[tuple[bytes, int]]:
    """The same where there is a crowd: of each token no more rows are read than tell that there is one."""
    wanted: Any = values(column("token", LargeBinary), name="wanted").data([(token,) for token in tokens]).cte()
    few = select(table.c[name]).where(*where, table.c[name] == wanted.c.token).limit(enough).correlate(wanted)
    counted = select(func.count()).select_from(few.subquery()).scalar_subquery()
    for row in db.execute(select(wanted.c.token, counted)):
        yield bytes(row[0]), row[1]
