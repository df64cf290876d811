"""CSV folders as other programs fill them: half files, odd encodings, spoilt values, and what is written for them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from onewriter.connectors.csv_folder import CsvConnector, CsvFolder
from onewriter.connectors.csv_write import is_formula
from onewriter.connectors.interface import Applied, Conflict, FieldPatch, Record, Rejected, State, Unchanged, Wanted
from onewriter.errors import BadSetting, OnewriterError, SystemChanged, SystemRefused, SystemUnreachable

NOW = 1_772_442_000.0
OLD = NOW - 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "exchange"
    made.mkdir()
    return made


def put(folder: Path, name: str, content: str | bytes, changed: float = OLD) -> Path:
    """A file of that time."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (changed, changed))
    return path


def opened(folder: Path, *fields: str, **settings: Any) -> CsvConnector:
    """A connector that reads `customers*.csv` with the key `id`."""
    configuration = {"folder": str(folder), "read": "customers*.csv", "key": "id", **settings}
    return CsvFolder(lambda: NOW).open(configuration, Wanted(fields, fields if "write" in settings else ()))


def read(connector: CsvConnector) -> list[tuple[str, dict[str, Any]]]:
    """Every record; a reading that ends without a state would fail here."""
    *records, last = connector.read(None)
    assert isinstance(last, State)
    return [(each.id, dict(each.fields)) for each in records if isinstance(each, Record)]


# ---- Settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"read": None}, "read, or write"),
        ({"read": "../*.csv"}, "without the folder"),
        ({"write": "/etc/passwd"}, "without the folder"),
        ({"write": ".hidden"}, "without the folder"),
        ({"write": "customers-out.csv"}, "must not be one of those"),
        ({"folder": "exchange"}, "whole path"),
        ({"encoding": "klingon"}, "encoding"),
        ({"settle_s": True}, "settle_s"),
        ({"colour": "red"}, "no setting colour"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        CsvFolder().open({"folder": "/x", "read": "customers*.csv", "key": "id"} | changes, Wanted(()))


# ---- Which file -----------------------------------------------------------------------------------------------------


def test_the_newest_file_that_is_complete_is_read(folder: Path) -> None:
    put(folder, "customers-1.csv", "id,name\n1,old\n", OLD - 60)
    put(folder, "customers-2.csv", "id,name\n1,new\n", OLD)
    put(folder, "customers-4.csv.part", "id,na", OLD)
    put(folder, "other.csv", "id,name\n9,x\n", OLD)
    assert read(opened(folder, "name")) == [("1", {"name": "new"})]


def test_an_older_file_is_never_taken_for_the_newest(folder: Path) -> None:
    put(folder, "customers-1.csv", "id,name\n1,old\n", OLD - 60)
    path = put(folder, "customers-2.csv", "id,name\n1,new\n", OLD)
    *_, state = opened(folder, "name").read(None)
    assert isinstance(state, State)
    put(folder, "customers-2.csv", "id,name\n1,ha", NOW - 2)
    connector = opened(folder, "name", write="out.csv")
    for call in (
        lambda: list(opened(folder, "name").read(None)),
        lambda: list(opened(folder, "name").read(state)),
        lambda: list(connector.read_keys(["1"])),
        lambda: connector.write([FieldPatch(key="1", set={"name": "ours"})]),
    ):
        with pytest.raises(SystemUnreachable, match="still being written"):
            call()
    path.unlink()
    with pytest.raises(SystemUnreachable, match="is older"):
        list(opened(folder, "name").read(State(json.loads(json.dumps(state.value)))))
    put(folder, "customers-3.csv", "id,name\n1,newer\n", OLD + 60)
    assert [each.fields for each in opened(folder, "name").read(state) if isinstance(each, Record)] == [
        {"name": "newer"}
    ]


def test_a_file_from_the_future_hides_no_later_one(folder: Path) -> None:
    path = put(folder, "customers-1.csv", "id,name\n1,old\n", NOW + 10**6)
    *_, state = opened(folder, "name").read(None)
    assert isinstance(state, State)
    path.unlink()
    put(folder, "customers-2.csv", "id,name\n1,new\n", NOW + 60)
    later = CsvFolder(lambda: NOW + 120).open(
        {"folder": str(folder), "read": "customers*.csv", "key": "id"}, Wanted(("name",))
    )
    assert [each.fields for each in later.read(state) if isinstance(each, Record)] == [{"name": "new"}]


def test_the_kept_file_keeps_its_rights_and_follows_no_link(folder: Path) -> None:
    out = put(folder, "out.csv", "id,name\n1,a\n")
    out.chmod(0o660)
    victim = folder / "precious"
    victim.write_text("precious")
    (folder / ".out.csv.part").symlink_to(victim)
    connector = opened(folder, "name", read=None, write="out.csv")
    assert [type(each) for each in connector.write([FieldPatch(key="1", set={"name": "b"})])] == [Applied]
    assert (out.stat().st_mode & 0o777, victim.read_text()) == (0o660, "precious")
    assert not out.is_symlink()
    out.unlink()
    connector.write([FieldPatch(key=None, set={"name": "c"})])
    assert out.stat().st_mode & 0o007 == 0, "a new file is not for everybody"


def test_no_file_is_never_no_customers(folder: Path) -> None:
    for what in ("no file", "one that is being written"):
        with pytest.raises(SystemUnreachable):
            read(opened(folder, "name"))
        assert [each.kind for each in opened(folder, "name").check()] == ["settings"], what
        put(folder, "customers.csv", "id,name\n1,a\n", NOW - 1)
    with pytest.raises(SystemUnreachable, match="no such folder"):
        read(opened(folder / "gone", "name"))


def test_a_file_that_changes_while_it_is_read_is_left(folder: Path) -> None:
    path = put(folder, "customers.csv", "id,name\n" + "".join(f"{number},name\n" for number in range(50_000)))
    reading = opened(folder, "name").read(None)
    next(reading)
    with path.open("a") as more:
        more.write("50000,name\n")
    with pytest.raises(SystemUnreachable, match="changed while it was read"):
        list(reading)


def test_a_file_from_the_future_is_read_and_told(folder: Path) -> None:
    put(folder, "customers.csv", "id,name\n1,a\n", NOW + 86_400)
    assert read(opened(folder, "name")) == [("1", {"name": "a"})]
    assert [each.kind for each in opened(folder, "name").check()] == ["clock"]


# ---- What is in it --------------------------------------------------------------------------------------------------

NAMES = "id;name\n1;Zoë\n2;李 🐦\n"


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (NAMES.encode(), {}),
        (NAMES.encode("utf-8-sig"), {}),
        (NAMES.encode("utf-16"), {}),
        (b"\xfe\xff" + NAMES.encode("utf-16-be"), {}),
        (NAMES.replace(";", "\t").encode(), {}),
        (NAMES.replace(";", "|").replace("\n", "\r\n").encode(), {"delimiter": "|"}),
    ],
)
def test_encodings_and_delimiters_are_known(folder: Path, content: bytes, settings: dict[str, str]) -> None:
    put(folder, "customers.csv", content)
    assert read(opened(folder, "name", **settings)) == [("1", {"name": "Zoë"}), ("2", {"name": "李 🐦"})]


def test_an_encoding_is_declared_and_never_guessed(folder: Path) -> None:
    put(folder, "customers.csv", "id,name\n1,Zoë\n".encode("cp1252"))
    with pytest.raises(SystemChanged, match="name its encoding"):
        read(opened(folder, "name"))
    assert read(opened(folder, "name", encoding="cp1252")) == [("1", {"name": "Zoë"})]


def test_values_are_told_as_they_stand_and_rows_of_one_key_all_come(folder: Path) -> None:
    put(folder, "customers.csv", 'id,name,note\n07," Ann ","two\nlines, ""q"""\n\n07,Bea,\n,nobody,x\n')
    connector = opened(folder, "name", "note")
    found = [("07", {"name": " Ann ", "note": 'two\nlines, "q"'}), ("07", {"name": "Bea", "note": None})]
    assert read(connector) == found
    assert len(list(connector.read_keys(["07"]))) == 2
    assert [each.id for each in connector.read_keys(["Bea"], by="name")] == ["07"]
    assert len([each for each in connector.check() if each.kind == "settings"]) == 2


def test_what_a_spreadsheet_has_spoilt_is_told_and_left(folder: Path) -> None:
    put(folder, "customers.csv", "id,phone,name\n1,4.67012E+10,#NAME?\n2,+46701234567,Bea\n")
    connector = opened(folder, "phone", "name")
    assert [(each.kind, each.field) for each in connector.check()] == [("type", "name"), ("type", "phone")]
    assert read(connector)[0] == ("1", {"phone": "4.67012E+10", "name": "#NAME?"})


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", SystemChanged),
        ("\n\n", SystemChanged),
        ("number,name\n1,a\n", SystemChanged),
        ("id,mail\n1,a\n", SystemChanged),
        ("id,name,name\n1,a,b\n", SystemChanged),
        ("id,name,city\n1,a,b\n2,c\n", SystemChanged),
        ('id,name\n1,"a\n2,b\n', SystemChanged),
        (f"id,name\n1,{'kanarie' * 20_000}\n", SystemChanged),
        (f"id,name\n1,{'x' * 100_001}\n", SystemChanged),
    ],
)
def test_what_is_no_whole_table_is_refused(folder: Path, content: str, error: type[OnewriterError]) -> None:
    put(folder, "customers.csv", content)
    with pytest.raises(error) as raised:
        read(opened(folder, "name"))
    assert "kanarie" not in str(raised.value)
    assert [each for each in opened(folder, "name").check() if each.kind in ("settings", "field")]


# ---- What is written ------------------------------------------------------------------------------------------------


def test_a_record_of_the_export_is_written_without_emptying_anything(folder: Path) -> None:
    put(folder, "customers.csv", "id,name,city,points\n1,Ann,Leeds,5\n2,Bea,York,\n")
    connector = opened(folder, "name", "points", write="out.csv")
    outcome = connector.write([FieldPatch(key="1", set={"points": "9"}), FieldPatch(key="3", set={"points": "1"})])
    assert outcome == [Applied("1", None, {"points": "9"}), Conflict("3", gone=True)]
    assert (folder / "out.csv").read_text() == "id,name,points\n1,Ann,9\n"
    assert connector.write([FieldPatch(key="1", set={"points": "9"})]) == [Unchanged("1")]
    assert isinstance(connector.write([FieldPatch(key="1", set={"points": "9"}, again=True)])[0], Applied)
    assert connector.write([FieldPatch(key="1", set={"city": "Hull"})]) == [Rejected("city", "no such field")]


def test_the_file_keeps_its_form_and_the_rows_of_others(folder: Path) -> None:
    put(folder, "out.csv", "id;name;other\r\n1;Zoë;x\r\n2;Bea;=1+1\r\n2;Bea;y\r\n".encode("cp1252"))
    connector = opened(folder, "name", read=None, write="out.csv", encoding="cp1252")
    patches = [FieldPatch(key="1", set={"name": 'Ann; the "1st"'}), FieldPatch(key="2", set={"name": "x"})]
    assert [type(each) for each in connector.write(patches)] == [Applied, Rejected]
    expected = 'id;name;other\r\n1;"Ann; the ""1st""";x\r\n2;Bea;=1+1\r\n2;Bea;y\r\n'
    assert (folder / "out.csv").read_bytes().decode("cp1252") == expected
    outcome = connector.write([FieldPatch(key="1", set={"name": "李"})])[0]
    assert isinstance(outcome, Rejected)
    assert "encoding" in outcome.reason


def test_columns_without_a_name_stay(folder: Path) -> None:
    put(folder, "out.csv", "id,name,,\n1,Ann,x,y\n2,Bea,z,\n")
    connector = opened(folder, "name", read=None, write="out.csv")
    assert isinstance(connector.write([FieldPatch(key="1", set={"name": "Eve"})])[0], Applied)
    assert (folder / "out.csv").read_bytes() == b"id,name,,\r\n1,Eve,x,y\r\n2,Bea,z,\r\n"


def test_a_new_record_is_added_once_for_one_intent(folder: Path) -> None:
    connector = opened(folder, "name", read=None, write="out.csv")
    patch = FieldPatch(key=None, set={"name": "Ann"}, idempotency_key="one")
    first = connector.write([patch])[0]
    assert connector.write([patch]) == [first]
    assert [name for _, name in read(connector)] == [{"name": "Ann"}]
    assert isinstance(opened(folder, "name", write="o.csv", read=None, creates=False).write([patch])[0], Rejected)


@pytest.mark.parametrize(
    ("value", "runs"),
    [
        ("=1+1", True),
        ("@SUM(A1)", True),
        ("+cmd|' /C calc'!A0", True),
        ("-2+3+cmd", True),
        ("\t=1", True),
        ("+46 70-123 45 67", False),
        ("-5.20", False),
        ("- ", False),
        ("a=1", False),
        ("", False),
    ],
)
def test_what_a_spreadsheet_would_run_is_not_written_unasked(folder: Path, value: str, runs: bool) -> None:
    assert is_formula(value) is runs
    for formulas, refused in (("refuse", runs), ("write", False)):
        connector = opened(folder, "name", read=None, write=f"{formulas}.csv", formulas=formulas)
        outcome = connector.write([FieldPatch(key=None, set={"name": value}, idempotency_key="x")])[0]
        assert isinstance(outcome, Rejected) is refused


def test_nothing_is_written_where_nothing_may_be(folder: Path) -> None:
    put(folder, "customers.csv", "id,name\n1,Ann\n")
    reads_only = CsvFolder(lambda: NOW).open(
        {"folder": str(folder), "read": "customers*.csv", "key": "id"}, Wanted(("name",), ("name",))
    )
    assert [each.kind for each in reads_only.check()] == ["settings"]
    assert reads_only.write([FieldPatch(key="1", set={"name": "x"})]) == [Rejected(None, "the system is only read")]
    with pytest.raises(SystemRefused, match="At most"):
        reads_only.write([FieldPatch(key="1")] * 5001)
    assert sorted(path.name for path in folder.iterdir()) == ["customers.csv"]


# ---- What the system has not exported yet ---------------------------------------------------------------------------


def test_what_was_written_counts_as_held_until_the_next_export_tells(folder: Path) -> None:
    put(folder, "customers-1.csv", "id,name,city\n1,Ann,Leeds\n2,Bea,York\n")
    connector = opened(folder, "name", "city", write="out.csv")
    made = FieldPatch(key=None, set={"name": "Cem"}, idempotency_key="cem")
    [_one, new] = connector.write([FieldPatch(key="1", set={"name": "Eve"}), made])
    assert isinstance(new, Applied)
    again = opened(folder, "name", "city", write="out.csv", lookup=["name"])
    assert read(again) == [
        ("1", {"name": "Eve", "city": "Leeds"}),
        ("2", {"name": "Bea", "city": "York"}),
        (new.id, {"name": "Cem", "city": None}),
    ]
    assert [each.fields["name"] for each in again.read_keys(["1", new.id])] == ["Eve", "Cem"]
    assert [each.id for each in again.read_keys(["Eve", "Cem", "Ann"], by="name")] == ["1", new.id]
    put(folder, "customers-2.csv", f"id,name,city\n1,Ann,Hull\n{new.id},Cem,\n", OLD + 60)
    assert read(again) == [("1", {"name": "Ann", "city": "Hull"}), (new.id, {"name": "Cem", "city": None})]
    assert connector.write([FieldPatch(key="1", set={"name": "Eve"})]) == [Unchanged("1")]
    assert read(again)[0] == ("1", {"name": "Eve", "city": "Hull"}), "it is in the file for the system still"


def test_a_note_of_what_was_written_that_cannot_be_read_is_no_trouble(folder: Path) -> None:
    put(folder, "customers.csv", "id,name\n1,Ann\n")
    connector = opened(folder, "name", write="out.csv")
    connector.write([FieldPatch(key="1", set={"name": "Eve"})])
    put(folder, ".out.csv.awaited", "{")
    assert read(connector) == [("1", {"name": "Ann"})]
    connector.write([FieldPatch(key="1", set={"name": "Eve"})])
    assert read(connector) == [("1", {"name": "Eve"})]
