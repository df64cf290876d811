"""What a copy of the key store would open here: it is looked at before the copy takes the place of anything.

The file is sealed as a whole, but its keys are wrapped each by a master key, and by another one perhaps than the file:
a copy that was made in the middle of a rotation needs both.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from onewriter.db.keytables import shop_keys
from onewriter.errors import KeyMissing, MasterKeyWrong
from onewriter.vault import chain
from onewriter.vault.keystore import KeyStore, shop_name
from onewriter.vault.rewrap import KINDS

_KINDS = {kind.table.name: kind for kind in KINDS}


class KeysSeen:
    """The keys of a copy as they pass by: which master keys wrap them, and which shops' keys open."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._wrapped: Counter[str] = Counter()
        self._opened: set[str] = set()
        self.shops: set[tuple[int, int]] = set()
        """The keys of shops that open, by shop and version."""

    def look(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Look at some rows of a table: at every key of a shop, and at others until each master key has opened one."""
        if "wrapped" not in columns:
            return
        for values in rows:
            row = dict(zip(columns, values, strict=True))
            if row["wrapped"] is None:
                continue
            master_id = row["master_id"]
            self._wrapped[master_id] += 1
            of_shop = name == shop_keys.name
            if (of_shop or master_id not in self._opened) and self._opens(name, row):
                self._opened.add(master_id)
                if of_shop:
                    self.shops.add((row["shop_id"], row["version"]))

    def refuse_unopened(self) -> None:
        """Raises MasterKeyWrong when a master key that wraps keys of the copy is not here, or opens none of them."""
        for master_id, number in sorted(self._wrapped.items()):
            if master_id not in self._opened:
                raise MasterKeyWrong(
                    f"The master key {master_id}, which wraps {number:,} keys of this copy, is not in the settings or "
                    "does not open them, so nothing was restored; add it to the master keys, or use another copy."
                )

    def _opens(self, name: str, row: dict[str, Any]) -> bool:
        kind = _KINDS.get(name)
        bound_to = chain.key_name(row["log"]) if kind is None else kind.bound_to(row["shop_id"], row[kind.mark.name])
        return _opens(self._keys, row["master_id"], row["wrapped"], bound_to)


def opened_shops(keys: KeyStore) -> set[tuple[int, int]]:
    """The newest keys of shops in the key store that is here, by shop and version: those that open."""
    with keys.database.read() as db:
        rows = db.execute(select(shop_keys).order_by(shop_keys.c.shop_id, shop_keys.c.version)).all()
    newest = {row.shop_id: row for row in rows}.values()
    return {
        (row.shop_id, row.version)
        for row in newest
        if row.wrapped is not None and _opens(keys, row.master_id, bytes(row.wrapped), shop_name(row.shop_id))
    }


def _opens(keys: KeyStore, master_id: str, wrapped: bytes, bound_to: bytes) -> bool:
    master = keys.masters.find(master_id)
    if master is None:
        return False
    try:
        master.cipher.open(wrapped, bound_to)
    except KeyMissing:
        return False
    return True
