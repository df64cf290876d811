"""How each master key stands: whether it is here, what it wraps, and whether it may go."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from onewriter.db.keytables import master_keys
from onewriter.records import Instant
from onewriter.vault import rewrap
from onewriter.vault.keystore import KeyStore

CURRENT, HERE, MISSING, GONE = "current", "here", "missing", "gone"


@dataclass(frozen=True, slots=True)
class Standing:
    """One master key, by its fingerprint."""

    id: str
    state: str
    """CURRENT wraps new keys, and HERE is in the settings too. MISSING is not, but wraps keys; GONE wraps none."""
    made_at: Instant | None
    """When the key store first heard of it; None for one that stands in the settings and never was the first there."""
    retired_at: Instant | None
    counts: Mapping[str, int]
    """How many keys of each kind it wraps."""
    may_retire: bool
    """True when a rotation would retire it: it is here, was current before the one that is now, and is not retired."""

    @property
    def wraps(self) -> int:
        """How many keys it wraps."""
        return sum(self.counts.values())

    @property
    def may_go(self) -> bool:
        """True when it may be taken out of the settings: no process will ever wrap anything with it again."""
        return self.state == HERE and self.retired_at is not None


def is_alone(db: Connection, keys: KeyStore) -> bool:
    """Whether there never was another master key than the one that is current: then no key needs to be counted."""
    known = set(db.execute(select(master_keys.c.id)).scalars())
    return known | keys.masters.ids == {keys.current.id}


def standings(db: Connection, keys: KeyStore) -> list[Standing]:
    """Every master key that is here or that the key store knows of, the current one first, then the newest."""
    counted = rewrap.counts(db)
    rows = {
        row.id: row for row in db.execute(select(master_keys.c.id, master_keys.c.made_at, master_keys.c.retired_at))
    }
    current = rows.get(keys.current.id)
    found = []
    for master_id in keys.masters.ids | rows.keys() | counted.keys():
        counts = counted.get(master_id, Counter())
        state, row = _state(keys, master_id, counts), rows.get(master_id)
        made_at, retired_at = (row.made_at, row.retired_at) if row is not None else (None, None)
        before = made_at is not None and current is not None and made_at < current.made_at
        may_retire = state == HERE and before and retired_at is None
        found.append(Standing(master_id, state, made_at, retired_at, counts, may_retire))
    return sorted(found, key=lambda one: (one.state != CURRENT, -(one.made_at or 0), one.id))


def _state(keys: KeyStore, master_id: str, counts: Counter[str]) -> str:
    if master_id == keys.current.id:
        return CURRENT
    if master_id in keys.masters.ids:
        return HERE
    return MISSING if counts.total() else GONE
