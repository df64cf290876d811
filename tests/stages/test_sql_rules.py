"""Rules of other programs' tables: triggers, policies, keys and times that few tables have, and none may surprise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from onewriter.connectors.interface import Applied, Conflict, FieldPatch, Rejected, Unchanged, Wanted
from onewriter.connectors.sql import SqlConnector, SqlTable
from onewriter.errors import SystemChanged
from tests.stages.test_sql_tables import Place, read

TWO = "INSERT INTO people (id, name) VALUES (1, 'a'), (2, 'b')"


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    made = Place(database_url)
    yield from _closed(made)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Place]:
    yield from _closed(Place(postgres_url))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Place]:
    yield from _closed(Place(f"sqlite:///{tmp_path}/crm.db"))


def _closed(made: Place) -> Iterator[Place]:
    yield made
    for each in made.opened:
        each.close()
    made.engine.dispose()


def trigger(place: Place, when: str, body: str) -> None:
    """A trigger of PostgreSQL's on `people`."""
    place.run(
        f"CREATE OR REPLACE FUNCTION rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER rule {when} ON people FOR EACH ROW EXECUTE FUNCTION rule()",
    )


def settings_at_fault(connector: SqlConnector) -> list[str | None]:
    """The columns that the check finds no good for what the settings name them for."""
    return [each.field for each in connector.check() if each.kind == "settings"]


# ---- Times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_change_in_the_second_of_two_equal_hours_is_seen(place: Place, zone: str) -> None:
    place.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20), changed TIMESTAMP)",
        "INSERT INTO people VALUES (1, 'a', '2025-10-26 02:50:00'), (2, 'b', '2025-10-26 01:00:00')",
    )
    connector = place.open("name", updated="changed", zone=zone)
    _, state = read(connector)
    place.run("UPDATE people SET name = 'c', changed = '2025-10-26 02:05:00' WHERE id = 2")
    assert "2" in read(connector, state)[0]


def test_times_at_either_end_of_all_are_told_and_refused(place: Place) -> None:
    place.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, at TIMESTAMP)",
        "INSERT INTO people VALUES (1, '0001-01-01 00:00:00')",
    )
    connector = place.open("at", zone="Europe/Berlin")
    assert read(connector)[0] == ["1"]
    for far in ("9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00"):
        outcomes = connector.write([FieldPatch(key="1", set={"at": far})])
        assert outcomes == [Rejected("at", "a time that is out of reach")]


# ---- Keys and lookups -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["NUMERIC(20)", "NUMERIC(20, 2)", "BIGINT", "VARCHAR(20)"])
def test_rows_are_looked_up_by_numbers_of_each_type(place: Place, kind: str) -> None:
    place.run(
        f"CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20), number {kind})",
        "INSERT INTO people VALUES (1, 'a', 123), (2, 'b', 124)",
    )
    connector = place.open("name", lookup=["number"])
    assert connector.discover().capabilities.upsert_keys == ("number",)
    assert [each.id for each in connector.read_keys(["123", "x", "1_2_4", "9" * 38, ""], by="number")] == ["1"]


def test_a_column_that_texts_cannot_be_looked_up_in_is_not_offered(place: Place) -> None:
    place.run("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20), vip BOOLEAN, born DATE UNIQUE)")
    connector = place.open("name", lookup=["vip"])
    assert connector.discover().capabilities.upsert_keys == ()
    assert settings_at_fault(connector) == ["vip"]
    with pytest.raises(SystemChanged):
        list(connector.read_keys(["true"], by="vip"))


def test_a_column_without_a_type_is_found_by_number_and_by_text(sqlite: Place) -> None:
    sqlite.run("CREATE TABLE people (id, name TEXT, ext)", "INSERT INTO people VALUES (1, 'a', 123), ('B', 'b', 'x')")
    connector = sqlite.open("name", lookup=["ext"])
    assert sorted(read(connector)[0]) == ["1", "B"]
    assert [each.id for each in connector.read_keys(["1", "B", "1.0", "01"])] == ["1", "B"]
    assert [each.id for each in connector.read_keys(["123", "x"], by="ext")] == ["1", "B"]
    patches = [FieldPatch(key=key, set={"name": f"new {key}"}) for key in ("1", "B", "1", "01")]
    assert [type(each) for each in connector.write(patches)] == [Applied, Applied, Unchanged, Conflict]
    assert sqlite.rows("SELECT id, name FROM people ORDER BY 1") == [(1, "new 1"), ("B", "new B")]


@pytest.mark.parametrize("kind", ["NUMERIC(12, 2)", "NUMERIC(12)"])
def test_a_key_with_decimals_finds_its_row(place: Place, kind: str) -> None:
    place.run(f"CREATE TABLE people (id {kind} PRIMARY KEY, name VARCHAR(20))", TWO)
    connector = place.open("name")
    ids, _ = read(connector)
    assert [each.id for each in connector.read_keys(ids)] == ids
    outcomes = connector.write([FieldPatch(key=each, set={"name": "c"}) for each in ids])
    assert [type(each) for each in outcomes] == [Applied, Applied]


def test_a_key_that_no_text_finds_again_is_told(postgres: Place) -> None:
    postgres.run("CREATE TABLE people (id DOUBLE PRECISION PRIMARY KEY, name VARCHAR(20))")
    assert settings_at_fault(postgres.open("name")) == ["id"]


# ---- Policies -------------------------------------------------------------------------------------------------------


def test_a_row_that_a_policy_keeps_from_us_is_not_gone(postgres: Place) -> None:
    postgres.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20))",
        TWO,
        "DO $$ BEGIN CREATE ROLE limited LOGIN PASSWORD 'limited-password';"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        "GRANT SELECT, UPDATE ON people TO limited",
        "ALTER TABLE people ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY reading ON people FOR SELECT USING (true)",
        "CREATE POLICY writing ON people FOR UPDATE USING (id = 1)",
    )
    url = make_url(postgres.url).set(username="limited", password="limited-password")
    configuration = {"url": url.render_as_string(hide_password=False), "table": "people", "key": "id"}
    connector = SqlTable().open(configuration, Wanted(("name",), ("name",)))
    outcomes = connector.write([FieldPatch(key=key, set={"name": "c"}) for key in ("1", "2", "3")])
    connector.close()
    assert [type(each) for each in outcomes] == [Applied, Rejected, Conflict]
    assert outcomes[1] == Rejected(None, "no permission to write the row")


# ---- Rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["45000", "U0001", "0A000", "P0001"])
def test_one_row_that_a_trigger_refuses_stops_no_other(postgres: Place, code: str) -> None:
    postgres.run("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20))", TWO)
    refuses = f"IF NEW.name = 'bad' THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END IF; RETURN NEW;"
    trigger(postgres, "BEFORE INSERT OR UPDATE", refuses)
    patches = [
        FieldPatch(key="1", set={"name": "good"}),
        FieldPatch(key="2", set={"name": "bad"}),
    ]
    assert [type(each) for each in postgres.open("name").write(patches)] == [Applied, Rejected]
    assert postgres.rows("SELECT name FROM people ORDER BY id") == [("good",), ("b",)]


def test_a_trigger_that_breaks_refuses_its_row_only(sqlite: Place) -> None:
    sqlite.run(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)",
        TWO,
        "CREATE TRIGGER rule AFTER UPDATE ON people WHEN NEW.id = 2 BEGIN SELECT json('{no json'); END",
    )
    patches = [FieldPatch(key=key, set={"name": "c"}) for key in ("1", "2")]
    assert [type(each) for each in sqlite.open("name").write(patches)] == [Applied, Rejected]


def test_a_rule_that_is_looked_at_last_refuses_its_row_only(place: Place) -> None:
    place.run(
        "CREATE TABLE bosses (id INTEGER PRIMARY KEY)",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20),"
        " boss INTEGER REFERENCES bosses (id) DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO bosses VALUES (1)",
        TWO,
    )
    patches = [
        FieldPatch(key="1", set={"name": "c"}),
        FieldPatch(key="2", set={"boss": 99}),
        FieldPatch(key="1", set={"boss": 1}),
    ]
    outcomes = place.open("name", "boss").write(patches)
    assert [type(each) for each in outcomes] == [Applied, Rejected, Applied]
    assert place.rows("SELECT name, boss FROM people ORDER BY id") == [("c", 1), ("b", None)]


def test_a_new_row_that_a_trigger_lets_fall_is_not_applied(place: Place) -> None:
    for key in ("INTEGER PRIMARY KEY" if place.is_sqlite else "SERIAL PRIMARY KEY", "VARCHAR(40) PRIMARY KEY"):
        place.run("DROP TABLE IF EXISTS people", f"CREATE TABLE people (id {key}, name VARCHAR(20))")
        if place.is_sqlite:
            place.run("CREATE TRIGGER rule BEFORE INSERT ON people BEGIN SELECT RAISE(IGNORE); END")
        else:
            trigger(place, "BEFORE INSERT", "RETURN NULL;")
        outcomes = place.open("name").write([FieldPatch(key=None, set={"name": "n"}, idempotency_key="k")])
        assert outcomes == [Rejected(None, "a rule of the table forbids it")]


def test_what_a_rule_keeps_as_it_was_is_told_as_it_is(place: Place) -> None:
    place.run("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20))", TWO)
    if place.is_sqlite:
        place.run("CREATE TRIGGER rule BEFORE UPDATE ON people BEGIN SELECT RAISE(IGNORE); END")
    else:
        trigger(place, "BEFORE UPDATE", "RETURN NULL;")
    assert place.open("name").write([FieldPatch(key="1", set={"name": "n"})]) == [Applied("1", None, {"name": "a"})]
