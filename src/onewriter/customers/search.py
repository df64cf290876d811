"""Searching customers by whatever people know of them: an id, an address, a number, or a name or its beginning.

Names are looked up by the tokens of their words. A token stands for all words that begin alike, so whoever has it is
opened and looked at; that work has a limit, and the answer says when it was reached.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, intersect, select

from onewriter.customers import find, names
from onewriter.customers.find import Found
from onewriter.customers.profiles import LIVE
from onewriter.db.privacytables import name_tokens
from onewriter.errors import KeyDestroyed, Permanent
from onewriter.rules.names import are_all_in, keys_for, typed, whole_key, words_of
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.vault import ShopVault

TEXT_MAX = 320
"""Letters of what can be looked for: no address is longer."""
WORDS_MAX = 6
"""Words of a name that can be looked for at once."""
OPENED_MAX = 500
"""Customers that one search opens to see whether they are meant."""
AT_ONCE = 250
COUNTED_MAX = 5_000

_t, _o = name_tokens.alias("t"), name_tokens.alias("o")
_COUNT = select(func.count()).select_from(
    select(_t.c.customer_id).where(_t.c.token == bindparam("token")).limit(COUNTED_MAX).subquery()
)
_WITH = select(_t.c.customer_id).where(_t.c.token == bindparam("token"), _t.c.customer_id > bindparam("after"))

Tokens = tuple[int, ...]
"""One of them is enough."""


class TextTooLong(Permanent):
    """Nothing that a customer is known by is that long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found, and what must be said of it."""

    found: list[Found]
    more: bool = False
    """True if others may match: as many were found as were wanted, or too many would have to be looked at."""
    building: bool = False
    """True while the index is being built, so that somebody may not be found by it yet."""
    too_short: bool = False
    """True if the text was looked for as a whole word only, as it has too few letters for a beginning."""


def search(
    db: Connection, vault: ShopVault, wanted: str, most: int, *, only_live: bool = False, beginnings: bool = True
) -> Answer:
    """The customers that a text can mean, masked; those who are meant exactly come first.

    Hidden (deleted) customers are found too, and say so, unless `only_live`. Without `beginnings` a word of a name must
    be whole: who may not see a name could learn it letter by letter else. Raises TextTooLong.
    """
    text = wanted.strip()
    if len(text) > TEXT_MAX:
        raise TextTooLong(f"That is longer than anything a customer is known by ({TEXT_MAX} letters).")
    found = [one for one in find.find(db, vault, text, most) if not only_live or one.state in LIVE]
    words = _words_meant(text)
    if not words:
        return Answer(found, more=len(found) >= most)
    keys, building = _keys(db, vault)
    walk = _Walk(db, vault, words, most, only_live, beginnings, {one.id: one for one in found})
    walk.run(keys)
    too_short = not any(map(keys_for, words))
    return Answer(list(walk.found.values()), walk.more, building, too_short)


def _words_meant(text: str) -> tuple[str, ...]:
    """The words of the name that a text can be; none for what is plainly something else."""
    if "@" in text or not any(letter.isalpha() for letter in text) or find.is_id(text):
        return ()
    words = typed(text)
    if len(words) > WORDS_MAX:
        raise TextTooLong(f"A name is looked for by {WORDS_MAX} words at most; leave some out.")
    return words


def _keys(db: Connection, vault: ShopVault) -> tuple[Sequence[IndexKey], bool]:
    """The keys that tokens may be made with, and whether some are not made with the newest yet.

    The newest comes last: a customer whose tokens are made anew while we look is met under the old key or the new one.
    """
    version = names.version_of(db, vault.shop_id)
    if names.is_stale(db, vault.shop_id, version):
        return vault.index.live(version), True
    try:
        return [vault.index.of(version)], False
    except KeyDestroyed:
        return vault.index.live(version), True


def _having(tokens: Tokens, *, merged: bool) -> Any:
    """The query of those customers that have all of these tokens, from `after` on, in the order of our ids.

    SQLite is asked to merge what each token has, which are in that order: by itself it would look each customer up.
    """
    if merged and len(tokens) > 1:
        behind = _t.c.customer_id > bindparam("after")
        others = [select(_t.c.customer_id).where(_t.c.token == token, behind) for token in tokens[1:]]
        return intersect(_WITH, *others).order_by("customer_id").limit(bindparam("most"))
    query = _WITH
    for token in tokens[1:]:
        query = query.where(exists().where(_o.c.customer_id == _t.c.customer_id, _o.c.token == token))
    return query.order_by(_t.c.customer_id).limit(bindparam("most"))


@dataclass(slots=True)
class _Walk:
    """One search by name, from candidate to candidate in the order of our ids."""

    db: Connection
    vault: ShopVault
    words: tuple[str, ...]
    most: int
    only_live: bool
    beginnings: bool
    found: dict[bytes, Found]
    more: bool = False
    _left: int = field(default_factory=lambda: OPENED_MAX)
    _looked: set[bytes] = field(default_factory=set)

    def run(self, keys: Sequence[IndexKey]) -> None:
        """Look for whoever has all words whole, and then for whoever has words that begin so."""
        for whole in (True, False) if self.beginnings else (True,):
            for key in keys:
                for tokens in self._ways(key, whole=whole):
                    if not self.more:
                        self._go(tokens, whole=whole)

    def _ways(self, key: IndexKey, *, whole: bool) -> Iterator[Tokens]:
        """The tokens that a customer must have, all of them, in each way to have the words: the rarest word leads."""
        each = [(whole_key(word),) if whole else keys_for(word) for word in self.words]
        tokens = [tuple(map(key.name_token, names_)) for names_ in each if names_]
        if len(tokens) > 1:
            tokens.sort(key=self._count)
        if tokens:
            yield from product(*tokens)

    def _count(self, tokens: Tokens) -> int:
        return sum(self.db.execute(_COUNT, {"token": token}).scalar_one() for token in tokens)

    def _go(self, tokens: Tokens, *, whole: bool) -> None:
        query = _having(tokens, merged=self.db.dialect.name == "sqlite")
        # Where all that begin alike are meant, one more than wanted tells that there are more.
        after, most = b"", min(AT_ONCE, self.most - len(self.found) + 1)
        while not self.more:
            wanted = {"token": tokens[0], "after": after, "most": most}
            ids = [bytes(each) for each in self.db.execute(query, wanted).scalars()]
            self._look(ids, whole=whole)
            if len(ids) < most:
                return
            after, most = ids[-1], min(AT_ONCE, 2 * most)

    def _look(self, ids: Sequence[bytes], *, whole: bool) -> None:
        """Open these customers, as far as that was not done, and keep those who are meant."""
        # A candidate that does not match a beginning matches nothing, but one may match it that is not the whole word.
        fresh = [each for each in ids if each not in self._looked and each not in self.found]
        if self.only_live:
            # Before they are counted, or many who are hidden would use up what may be opened.
            fresh = find.live_among(self.db, fresh)
        self.more = len(fresh) > self._left
        fresh = fresh[: self._left]
        self._left -= len(fresh)
        if not whole:
            self._looked.update(fresh)
        for row, opened in find.open_rows(self.db, self.vault, fresh):
            named = words_of(*names.named(opened))
            if not are_all_in(self.words, named, whole=whole):
                continue
            if len(self.found) >= self.most:
                self.more = True
                return
            self.found[bytes(row.id)] = find.shown(row, opened, reveal=False)
