"""SQL tables as other programs make them: odd times, odd keys, odd types, and what is refused in them."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import Engine, create_engine, text

from onewriter.connectors.interface import (
    Applied,
    Conflict,
    Deleted,
    FieldPatch,
    Record,
    Rejected,
    State,
    Unchanged,
    Wanted,
)
from onewriter.connectors.sql import SqlConnector, SqlTable
from onewriter.errors import BadSetting, SystemChanged, SystemRefused, SystemUnreachable
from onewriter.records import parse_instant
from onewriter.runtime import Runtime

NOON = parse_instant("2026-03-02T12:00:00+00:00")


class Place:
    """A database of another program's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        made: dict[str, Any] = {"module": sqlite} if self.is_sqlite else {}
        self.engine: Engine = create_engine(url, **made)
        self.opened: list[SqlConnector] = []

    def run(self, *statements: str) -> None:
        with self.engine.begin() as db:
            for statement in statements:
                db.execute(text(statement))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.begin() as db:
            return [tuple(row) for row in db.execute(text(query))]

    def open(self, *fields: str, **settings: Any) -> SqlConnector:
        """A connector to the table `people` with the key `id`."""
        configuration = {"url": self.url, "table": "people", "key": "id", **settings}
        self.opened.append(SqlTable(lambda: NOON / 1e6).open(configuration, Wanted(fields, fields)))
        return self.opened[-1]


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    made = Place(database_url)
    yield made
    for each in made.opened:
        each.close()
    made.engine.dispose()


def read(connector: SqlConnector, state: State | None = None) -> tuple[list[str], State]:
    """The ids that came, and the state."""
    items = list(connector.read(state))
    last = items.pop()
    assert isinstance(last, State)
    return [each.id for each in items if isinstance(each, Record | Deleted)], last


# ---- Settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "oracle://scott:tiger@host/db"}, "not supported"),
        ({"url": "not a url with secret-word"}, "cannot be read"),
        ({"url": "sqlite://"}, "names a file"),
        ({"url": "postgresql://shop:secret-word@host:port/db"}, "cannot be read"),
        ({"url": None}, "needs the setting url"),
        ({"table": ""}, "needs the setting table"),
        ({"tabel": "x"}, "no setting tabel"),
        ({"overlap_s": -1}, "overlap_s"),
        ({"touch": "yes"}, "touch"),
        ({"lookup": ["a", 1]}, "lookup"),
        ({"zone": "Mars/Olympus"}, "time zone"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    configuration = {"url": "sqlite:////x.db", "table": "people", "key": "id"} | changes
    with pytest.raises(BadSetting, match=said) as error:
        SqlTable().open(configuration, Wanted(()))
    assert "tiger" not in str(error.value)
    assert "secret-word" not in str(error.value)


def test_the_password_is_in_no_representation() -> None:
    connector = SqlTable().open({"url": "postgresql://u:tiger@127.0.0.1/d", "table": "t", "key": "id"}, Wanted(()))
    assert "tiger" not in repr(connector) + repr(vars(connector)["_settings"])


def test_a_file_that_is_not_there_is_not_made(tmp_path: Any) -> None:
    file = tmp_path / "gone.db"
    connector = SqlTable().open({"url": f"sqlite:///{file}", "table": "people", "key": "id"}, Wanted(()))
    with pytest.raises(SystemUnreachable):
        list(connector.read(None))
    assert not file.exists()


def test_our_own_databases_are_refused(runtime: Runtime, database_url: str, keys_url: str) -> None:
    for url, table in ((database_url, "customers"), (database_url, "anything"), (keys_url, "subject_keys")):
        connector = SqlTable().open({"url": url, "table": table, "key": "id"}, Wanted(()))
        with pytest.raises(SystemRefused, match="onewriter's own"):
            list(connector.read(None))
        connector.close()


def test_a_table_or_a_column_that_is_not_there_is_told(place: Place) -> None:
    place.run("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    with pytest.raises(SystemChanged, match="no such table"):
        place.open("name").discover()
    assert [each.kind for each in place.open("name").check()] == ["settings"]
    with pytest.raises(SystemChanged, match="no column updated"):
        place.open(table="other", updated="updated").discover()


# ---- Times ----------------------------------------------------------------------------------------------------------

TIMES: list[tuple[str, str, list[Any]]] = [
    ("TIMESTAMP", "time without a zone", ["2026-03-02 09:00:00", "2026-03-02 11:30:00"]),
    ("BIGINT", "seconds", [1772442000, 1772451000]),
    ("BIGINT", "milliseconds", [1772442000000, 1772451000000]),
    ("BIGINT", "a count", [5000, 900_000]),
]


@pytest.mark.parametrize(("kind", "what", "values"), TIMES, ids=[each[1] for each in TIMES])
def test_what_changed_since_is_found_by_any_form_of_time(place: Place, kind: str, what: str, values: list[Any]) -> None:
    early, late = (repr(each) if isinstance(each, str) else each for each in values)
    place.run(
        f"CREATE TABLE people (id INTEGER PRIMARY KEY, changed {kind})",
        f"INSERT INTO people VALUES (1, {early}), (2, {late}), (3, NULL)",
    )
    connector = place.open(updated="changed")
    ids, state = read(connector)
    assert ids == ["1", "2", "3"]
    ids, again = read(connector, state)
    assert ids == ["2", "3"], "the last one comes again, and so does the one that tells no time"
    assert again == state


def test_texts_of_different_forms_are_compared_as_times(tmp_path: Any) -> None:
    place = Place(f"sqlite:///{tmp_path}/crm.db")
    place.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, changed TEXT)",
        "INSERT INTO people VALUES (1, '2026-03-02T07:00:00Z'), (2, '2026-03-02 08:00:00'),"
        " (3, '2026-03-02T12:30:00+02:00'), (4, '02/03/2026')",
    )
    connector = place.open(updated="changed")
    _, state = read(connector)
    assert state.value["since"] == parse_instant("2026-03-02T10:30:00+00:00")
    assert read(connector, state)[0] == ["3", "4"], "what cannot be read as a time comes each time"
    connector.close()
    place.engine.dispose()


def test_times_without_a_zone_are_in_the_zone_of_the_settings(place: Place) -> None:
    place.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, changed TIMESTAMP)",
        "INSERT INTO people VALUES (1, '2026-03-02 12:30:00')",
    )
    record = next(place.open(updated="changed", zone="Europe/Berlin").read(None))
    assert isinstance(record, Record)
    assert record.changed == parse_instant("2026-03-02T11:30:00+00:00")


def test_a_row_of_the_future_hides_no_change_and_is_told(place: Place) -> None:
    place.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, changed TIMESTAMP)",
        "INSERT INTO people VALUES (1, '2037-01-01 00:00:00')",
    )
    connector = place.open(updated="changed")
    assert {each.field for each in connector.check() if each.kind == "clock"} >= {"changed"}
    _, state = read(connector)
    if place.is_sqlite:
        # The clock of a server is not the test's.
        assert state.value["since"] == NOON
    place.run("INSERT INTO people VALUES (2, '2026-12-31 12:00:01')")
    assert "2" in read(connector, state)[0]


# ---- Keys -----------------------------------------------------------------------------------------------------------


def test_rows_that_share_a_key_all_come_and_none_is_written(place: Place) -> None:
    place.run(
        "CREATE TABLE people (id INTEGER, name VARCHAR(20))",
        "INSERT INTO people VALUES (1, 'a'), (2, 'b'), (2, 'c'), (3, 'd'), (NULL, 'e')",
    )
    connector = place.open("name", page_rows=3)
    assert read(connector)[0] == ["1", "2", "2", "3"]
    assert [each.kind for each in connector.check() if each.field == "id"] == ["settings"]
    outcome = connector.write([FieldPatch(key="2", set={"name": "x"})])[0]
    assert outcome == Rejected(None, "several rows have this key")
    assert place.rows("SELECT count(*) FROM people WHERE name = 'x'") == [(0,)]


def test_what_cannot_be_a_key_names_nobody(place: Place) -> None:
    place.run("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20))", "INSERT INTO people VALUES (1, 'a')")
    connector = place.open("name")
    for key in ("abc", "1 OR 1=1", "01", "1.0", "", "99999999999999999999"):
        assert connector.write([FieldPatch(key=key, set={"name": "x"})]) == [Conflict(key, gone=True)]
        assert list(connector.read_keys([key])) == []
    assert place.rows("SELECT name FROM people") == [("a",)]


def test_a_new_row_has_the_same_key_for_the_same_intent(place: Place) -> None:
    place.run("CREATE TABLE people (id VARCHAR(36) PRIMARY KEY, name VARCHAR(20))")
    connector = place.open("name")
    patch = FieldPatch(key=None, set={"name": "Ann"}, idempotency_key="cycle 7, customer 12")
    first, again = connector.write([patch])[0], connector.write([patch])[0]
    assert isinstance(first, Applied)
    assert again == first
    assert place.rows("SELECT name FROM people") == [("Ann",)]


def test_no_row_is_made_where_the_key_cannot_be(place: Place) -> None:
    place.run("CREATE TABLE people (id VARCHAR(10) PRIMARY KEY, name VARCHAR(20))")
    outcome = place.open("name").write([FieldPatch(key=None, set={"name": "Ann"})])[0]
    assert isinstance(outcome, Rejected)
    assert outcome.field == "id"
    assert isinstance(place.open("name", creates=False).write([FieldPatch(key=None, set={"name": "A"})])[0], Rejected)


# ---- Types and limits -----------------------------------------------------------------------------------------------

TYPED = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL, points INTEGER, price NUMERIC(10, 2), vip BOOLEAN, born DATE,
    seen TIMESTAMP, email VARCHAR(50) UNIQUE, stage VARCHAR(10) CHECK (stage IN ('lead', 'client')),
    short VARCHAR(90) CHECK (length(short) <= 3), age INTEGER CHECK (age >= 18)
)
"""


@pytest.fixture
def typed(place: Place) -> Place:
    place.run(TYPED, "INSERT INTO people (id, name, email) VALUES (1, 'Ann', 'ann@example.org'), (2, 'Bea', NULL)")
    return place


def test_limits_are_read_from_the_table(typed: Place) -> None:
    found = typed.open().discover()
    told = {each.name: each for each in found.fields}
    assert (told["name"].max_length, told["name"].clearable) == (5, False)
    assert told["stage"].enum == ("lead", "client")
    assert told["short"].max_length == 3
    assert [told[name].type for name in ("points", "price", "vip", "born", "seen")] == [
        "integer",
        "number",
        "boolean",
        "date",
        "datetime",
    ]
    assert not told["id"].writable
    assert found.capabilities.upsert_keys == ("email",)


UNFIT: list[tuple[str, Any, str]] = [
    ("name", "Annabel", "value too long"),
    ("name", "", "must not be empty"),
    ("short", "abcd", "value too long"),
    ("stage", "gold", "not one of the words"),
    ("points", "12", "not a whole number"),
    ("points", True, "not a whole number"),
    ("points", 2**70, "too large"),
    ("price", 1.005, "more decimals"),
    ("price", float("nan"), "not a number"),
    ("vip", 1, "neither true nor false"),
    ("born", "03/04/1990", "not a date"),
    ("seen", "yesterday", "not a time"),
    ("email", ["a"], "not a text"),
    ("email", "half \ud83d", "cannot keep"),
    ("age", 17, "a rule of the table"),
    ("id", 5, "cannot be written"),
    ("gone", "x", "no such field"),
]


def test_what_does_not_fit_is_refused_with_the_field(typed: Place) -> None:
    before = typed.rows("SELECT * FROM people ORDER BY id")
    outcomes = typed.open("name").write([FieldPatch(key="1", set={name: value}) for name, value, _ in UNFIT])
    for (name, _, reason), outcome in zip(UNFIT, outcomes, strict=True):
        assert isinstance(outcome, Rejected), name
        assert reason in outcome.reason
        # SQLite tells the rule of a check, and not its column.
        assert outcome.field == name or name == "age"
    assert typed.rows("SELECT * FROM people ORDER BY id") == before


def test_a_value_that_another_row_has_is_refused_without_telling_it(typed: Place) -> None:
    patches = [
        FieldPatch(key="2", set={"email": "ann@example.org"}),
        FieldPatch(key="1", set={"email": "a@example.org"}),
    ]
    outcomes = typed.open("email").write(patches[:1])
    assert outcomes == [Rejected("email", "another record has this value already")]


FIT: list[tuple[str, Any]] = [
    ("points", -7),
    ("price", 12.5),
    ("price", 12),
    ("vip", True),
    ("vip", False),
    ("born", "1990-04-03"),
    ("seen", "2026-03-02T10:00:00+00:00"),
    ("email", "o'neil;--@example.org"),
]


def test_a_value_comes_back_as_it_was_written(typed: Place) -> None:
    connector = typed.open(*{name for name, _ in FIT})
    for name, value in FIT:
        outcome = connector.write([FieldPatch(key="1", set={name: value})])[0]
        assert isinstance(outcome, Applied)
        assert outcome.fields == {name: value}
        assert next(connector.read_keys(["1"])).fields[name] == value
        assert connector.write([FieldPatch(key="1", set={name: value})]) == [Unchanged("1")]


def test_several_patches_of_one_row_are_done_in_their_order(typed: Place) -> None:
    patches = [FieldPatch(key="1", set={"points": number}) for number in (1, 2, 3)]
    assert all(isinstance(each, Applied) for each in typed.open("points").write(patches))
    assert typed.rows("SELECT points FROM people WHERE id = 1") == [(3,)]


def test_empty_is_an_empty_text_where_the_settings_say_so(typed: Place) -> None:
    connector = typed.open("name", blank=True)
    assert isinstance(connector.write([FieldPatch(key="1", clear=("name",))])[0], Applied)
    assert typed.rows("SELECT name FROM people WHERE id = 1") == [("",)]
    assert next(connector.read_keys(["1"])).fields == {"name": None}


def test_a_write_moves_time_and_version_only_where_the_settings_say_so(place: Place) -> None:
    place.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(9), changed TIMESTAMP, turn INTEGER)",
        "INSERT INTO people VALUES (1, 'a', '2020-01-01 00:00:00', 4)",
    )
    place.open("name").write([FieldPatch(key="1", set={"name": "b"})])
    assert place.rows("SELECT turn FROM people") == [(4,)]
    connector = place.open("name", updated="changed", version="turn", touch=True)
    outcome = connector.write([FieldPatch(key="1", set={"name": "c"}, if_version="4")])[0]
    assert isinstance(outcome, Applied)
    assert outcome.version == "5"
    assert place.rows("SELECT turn FROM people WHERE changed > '2021-01-01 00:00:00'") == [(5,)]
    assert connector.write([FieldPatch(key="1", set={"name": "d"}, if_version="4")]) == [Conflict("1")]


def test_more_than_a_batch_is_refused(typed: Place) -> None:
    with pytest.raises(SystemRefused, match="At most"):
        typed.open("name").write([FieldPatch(key="1", set={"name": "x"})] * 501)


def test_the_types_that_only_postgresql_has(postgres_url: str) -> None:
    place = Place(postgres_url)
    place.run(
        "CREATE TYPE tier AS ENUM ('gold', 'silver')",
        "CREATE DOMAIN short AS VARCHAR(4)",
        "CREATE TABLE people (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), tags TEXT[], extra JSONB, tier tier,"
        " code short, padded CHAR(6), seen TIMESTAMPTZ, whole TEXT GENERATED ALWAYS AS (upper(code)) STORED, at INET)",
    )
    fields = ("tags", "extra", "tier", "code", "padded", "seen")
    connector = place.open(*fields)
    values: dict[str, Any] = {
        "tags": ["a", "b"],
        "extra": {"size": [1, None]},
        "tier": "gold",
        "code": "abcd",
        "padded": "ab",
        "seen": dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC).isoformat(),
    }
    made = connector.write([FieldPatch(key=None, set=values)])[0]
    assert isinstance(made, Applied)
    assert next(connector.read_keys([made.id])).fields == values
    assert isinstance(connector.write([FieldPatch(key=made.id, set={"tier": "silver"}, clear=("extra",))])[0], Applied)
    assert place.rows("SELECT tier, extra IS NULL FROM people") == [("silver", True)]
    told = {each.name: each for each in connector.discover().fields}
    assert told["tier"].enum == ("gold", "silver")
    assert isinstance(connector.write([FieldPatch(key=made.id, set={"code": "abcde"})])[0], Rejected)
    assert not told["whole"].writable
    assert not told["at"].writable
    connector.close()
    place.engine.dispose()
