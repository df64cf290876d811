"""What is left of deleted values where only somebody who reads a database's own pages would find it.

On SQLite that is every byte of its files: the log, the free pages, and the middle of the pages that are in use, where
copies stay of moved rows. On PostgreSQL it is every row and every entry of an index that its pages still list,
also of those that no query sees any more; so a row that waits for its VACUUM is found.
"""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, text

from onewriter.db.engine import Database

SUFFIXES = ("", "-wal", "-shm", "-journal")

_RELATIONS = text(
    "SELECT c.oid::regclass::text AS name, c.relkind::text AS kind,"
    " pg_relation_size(c.oid) / current_setting('block_size')::int AS pages"
    " FROM pg_class c LEFT JOIN pg_am am ON am.oid = c.relam"
    " WHERE c.oid >= 16384 AND (c.relkind IN ('r', 't') OR (c.relkind = 'i' AND am.amname = 'btree'))"
)
_ROWS = text("SELECT t_data FROM heap_page_items(get_raw_page(:name, :page)) WHERE lp_len > 0")
# The first page of an index says only where its root is.
# What only parts one page from the next is no entry: inner pages, and the first line of a leaf that is not the last.
_ENTRIES = text(
    "SELECT decode(replace(i.data, ' ', ''), 'hex') FROM bt_page_stats(:name, :page) s, bt_page_items(:name, :page) i"
    " WHERE i.data IS NOT NULL AND s.type = 'l' AND (s.btpo_next = 0 OR i.itemoffset > 1)"
)


def remnants(database: Database, needles: Mapping[str, bytes]) -> list[str]:
    """Where each of these values is, by the name that it is given here: a line for each place, and none is clean.

    Take at least eight bytes for each, or it will be found by chance.
    """
    short = [name for name, value in needles.items() if len(value) < 8]
    assert not short, f"found by chance: {short}"
    places = _of_sqlite(database) if database.is_sqlite else _of_postgres(database)
    return [f"{name} in {place}" for place, content in places for name, value in needles.items() if value in content]


def _of_sqlite(database: Database) -> Iterator[tuple[str, bytes]]:
    file = database.file
    assert file is not None
    for path in (file.with_name(file.name + suffix) for suffix in SUFFIXES):
        if path.exists():
            yield path.name, path.read_bytes()


def _of_postgres(database: Database) -> Iterator[tuple[str, bytes]]:
    with database.write() as db:
        db.execute(text("CREATE EXTENSION IF NOT EXISTS pageinspect"))
    with database.read() as db:
        for row in db.execute(_RELATIONS).all():
            yield row.name, b"\n".join(_listed(db, row.name, row.kind, row.pages))


def _listed(db: Connection, name: str, kind: str, pages: int) -> Iterable[bytes]:
    """What the pages of a table or an index list, whether a query would see it or not."""
    query, first = (_ENTRIES, 1) if kind == "i" else (_ROWS, 0)
    for page in range(first, pages):
        for content in db.execute(query, {"name": name, "page": page}).scalars():
            yield bytes(content)
