"""A query for certain rows must look for these rows: SQLite, which keeps no figures of its tables, would otherwise walk
all that a shop has, again for every few of them.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, Select, create_engine, event

import onewriter.customers
import onewriter.loyalty
from onewriter.db.bulk import CHUNK
from onewriter.db.webtables import metadata

SHOPWIDE = re.compile(r"\((?:shop_id=\?|shop_id=\? AND system=\?|shop_id=\? AND system=\? AND state=\?)\)$")
"""The end of a plan's line that says no more of the rows than whose they are."""


def certain() -> Iterator[tuple[str, Select[Any]]]:
    """Every query of the two packages that asks for rows by a list of them."""
    for package in (onewriter.customers, onewriter.loyalty):
        for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(each.name)).items():
                if isinstance(value, Select) and lists(value):
                    yield f"{each.name.rpartition('.')[2]}.{name}", value


ONCE = {"renewing._THEIRS": "only where the keys themselves were lost, and then of all customers"}


def lists(query: Select[Any]) -> list[str]:
    return [name for name, bind in query.compile().binds.items() if bind.expanding and bind.value is None]


QUERIES = {name: query for name, query in certain() if name not in ONCE}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://")
    metadata.create_all(made)
    yield made
    made.dispose()


def plan(engine: Engine, query: Select[Any]) -> list[str]:
    """What SQLite means to do for a whole piece of such rows; for a few it chooses otherwise."""
    binds = query.compile().binds
    given = {name: value_for(bind.type.python_type) for name, bind in binds.items() if bind.required}
    given |= {name: [given.get(name, value_for(binds[name].type.python_type))] * CHUNK for name in lists(query)}
    asked: list[tuple[str, Any]] = []

    def note(_db: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with engine.connect() as db:
            db.execute(query, given)
            statement, parameters = asked[0]
            return [row[-1] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    finally:
        event.remove(engine, "before_cursor_execute", note)


def value_for(kind: type) -> Any:
    return {int: 1, object: 1, str: "a" * 32, bytes: b"a" * 16}[kind]


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_for_certain_rows_looks_for_these_rows(engine: Engine, name: str) -> None:
    walked = [line for line in plan(engine, QUERIES[name]) if SHOPWIDE.search(line)]
    assert walked == []
