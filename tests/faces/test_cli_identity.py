"""`onewriter identity`: decisions on values and files of one's own, with neither a shop nor a database."""

import json
from pathlib import Path
from typing import Any

import pytest

from onewriter.cli import identity_files, root

HEADER = "kind,raw_a,region_a,raw_b,region_b\n"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it printed."""
    code = root.main(["identity", *words], standalone_mode=False)
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, _ = told(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder with no installation in it, and settings that no database could be opened by."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEWRITER_DATABASE", "nonsense://")


def write(name: str, text: str | bytes) -> str:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


@pytest.mark.req("M10", "M43")
def test_two_values_are_compared_and_the_decision_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("compare", "--kind", "phone", "044 668 18 00", "+41446681800", "--region-a", "ch")
    found = document(capsys, *words)
    assert (found["kind"], found["decision"], found["key"]) == ("phone", "match", "phone")
    assert found["a"] == {
        "tight": "+41446681800", "soft": "+41446681800", "strength": "strong", "repairs": ["format"], "problem": None,
    }  # fmt: skip
    code, out, _ = told(capsys, *words)
    assert code == 0
    assert out.startswith("match: one value, but for its format")
    assert "+41446681800" in out
    soft = document(capsys, "compare", "--kind", "email", "a.nn@gmail.com", "ann@gmail.com")
    assert (soft["decision"], soft["key"]) == ("review", "soft email")
    assert document(capsys, "compare", "--kind", "id", "123.0", "'123")["a"] == {"tight": "123"}
    name = document(capsys, "compare", "--kind", "name", "Ann", "Ann")
    assert (name["decision"], name["reason"], name["a"]) == ("no_match", "a name is never a key", {})


def test_two_records_are_compared_by_their_fields_or_files(capsys: pytest.CaptureFixture[str]) -> None:
    one = ("--a", "email=ann@example.com", "--a", "first_name=Ann", "--a", "last_name=Lee")
    two = ("--b", "email=ANN@example.com", "--b", "first_name=Bob", "--b", "last_name=Lee")
    found = document(capsys, "compare", *one, *two)
    assert (found["decision"], found["key"]) == ("review", "email")
    assert found["a"] == {"ids": [], "email": "ann@example.com", "phone": None, "name": ["ann", "lee"]}
    record = {"record_id": 7, "system": "shopify", "shopify_id": 1, "dob": None}
    files = (write("a.json", json.dumps(record)), write("b.json", json.dumps({"system": "crm", "shopify_id": "1"})))
    assert document(capsys, "compare", *files)["reason"] == "one id"
    assert told(capsys, "compare", *one, *two)[1].startswith("review: one address and two given names")


def test_a_file_of_pairs_is_answered_a_line_a_pair_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "email,Ann@x.com,,ann@x.com,\nphone,0446681800,CH,+41446681800,\n\nname,Ann,,Ann,\nid,123.0,,123,\n"
    for text in ("\ufeff" + HEADER + rows, (HEADER + rows).replace(",", ";"), (HEADER + rows).replace("\n", "\r\n")):
        code, out, err = told(capsys, "compare", "--pairs", write("pairs.csv", text))
        lines = [json.loads(line) for line in out.splitlines()]
        assert (code, err) == (0, "")
        assert [each["kind"] for each in lines] == ["email", "phone", "name", "id"]
        assert [each["decision"] for each in lines] == ["match", "match", "no_match", "match"]
        assert all(each["reason"] for each in lines)
    bare = write("bare.csv", 'raw_b,kind,raw_a\nann@x.com,EMAIL,"Ann Lee <ann@x.com>"\n')
    assert document(capsys, "compare", "--pairs", bare)["decision"] == "match"


PEOPLE = """record_id,system,account,shopify_id,system_id,email,phone,first_name,last_name,country,loyalty
a,shopify,account,1,,ann@x.com,+41446681800,Ann,Lee,CH,gold
b,crm,crm,1,c1,other@x.com,,,,,
c,pos,pos,,p1,,044 668 18 00,Ann,Lee,CH,
d,pos,pos,,p2,,044 668 18 00,,,CH,
"""


@pytest.mark.req("M7", "M10")
def test_a_file_of_people_is_matched(capsys: pytest.CaptureFixture[str]) -> None:
    till = "".join(f"t{at},pos,pos,,,,+41 44 123 00 00,,,CH,\n" for at in range(6))
    file = write("people.csv", PEOPLE + till)
    found = document(capsys, "match", file)
    assert found["records"] == 10
    assert found["clusters"] == [["a", "b", "c"]]
    assert [each["records"] for each in found["review"]] == [["a", "d"]]
    assert {each["reason"] for each in found["review"]} == {"one number, and a name is missing"}
    (refused,) = found["refused"]
    assert (refused["key"], refused["value"], refused["reason"]) == ("phone", "•••00", "6 records without a name")
    assert refused["records"] == [f"t{at}" for at in range(6)]
    assert [each["key"] for each in found["links"]] == ["id", "phone"]
    code, out, _ = told(capsys, "match", file)
    assert code == 0
    assert "10 records: 1 person has more than one, 3 in all." in out
    assert "a, b, c" in out
    by_mail = document(capsys, "match", file, "--keys", "email")
    assert (by_mail["clusters"], by_mail["refused"]) == ([], [])


def test_any_column_may_be_missing_and_rows_are_counted_then(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "match", write("few.csv", "PHONE ,first_name,last_name\n044 668 18 00,Ann,Lee\n" * 1))
    assert found == {"records": 1, "clusters": [], "review": [], "refused": [], "links": []}
    rows = "phone,first_name,last_name\n044 668 18 00,Ann,Lee\n+41446681800,Ann,Lee\n"
    assert document(capsys, "match", write("few.csv", rows), "--region", "CH")["clusters"] == [["1", "2"]]
    assert document(capsys, "match", write("few.csv", "phone\n"))["records"] == 0
    refused = document(
        capsys, "match", write("ids.csv", "shopify_id,last_name\n" + "".join(f"1,{x * 5}\n" for x in "abc"))
    )
    assert refused["refused"][0]["value"] == "shopify:1"
    rows = "".join(f"crm,ann@x.com,{x * 5}\n" for x in "abc")
    hidden = document(capsys, "match", write("ids.csv", "system,system_id,last_name\n" + rows))
    assert hidden["refused"][0]["value"] == "crm:a•••@x•••"


def test_a_long_answer_is_cut_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"u{at}@x.com\nu{at}@x.com\n" for at in range(21))
    code, out, _ = told(capsys, "match", write("many.csv", "email\n" + rows))
    assert code == 0
    assert "42 records: 21 people have more than one, 42 in all." in out
    assert "One person, the first 20 of 21:" in out


BAD: list[tuple[str | bytes, tuple[str, ...], str]] = [
    ("", ("match",), "is empty; its first line must name the columns"),
    ("\n\n", ("match",), "is empty"),
    ("age,colour\n1,red\n", ("match",), "has none of the columns record_id, system"),
    (b"email\n\xff@x.com\n", ("match",), "is not in UTF-8; save it as CSV UTF-8"),
    ("record_id,email\na,x@x.com\na,y@x.com\n", ("match",), "line 3: line 2 has the same record_id"),
    ("email,email\nx@x.com,y@x.com\n", ("match",), "has two columns email"),
    ("email\nx@x.com,more\n", ("match",), "line 2: more cells than columns"),
    ("email\n" + "x" * 140_000, ("match",), "line 2: this is no line of a CSV file"),
    ("x" * 140_000, ("match",), "line 1: this is no line of a CSV file"),
    ("email\nx@x.com\n", ("match", "--keys", "email,name"), "A name is never a key"),
    ("email\nx@x.com\n", ("match", "--region", "Switzerland"), "--region must be an ISO country code"),
    ("kind,raw_a\nemail,x@x.com\n", ("compare", "--pairs"), "has no column raw_b"),
    (HEADER + "zip,8000,,8000,\n", ("compare", "--pairs"), "line 2: kind must be one of email, phone, id, name"),
    ("[1]", ("compare", "b.json"), "must hold one JSON object"),
    ("{", ("compare", "b.json"), "is no JSON file of one record"),
    ('{"colour": "red"}', ("compare", "b.json"), "A: 'colour' is no field of a record"),
]


@pytest.mark.parametrize(("content", "words", "said"), BAD, ids=range(len(BAD)))
def test_a_bad_file_is_told_in_one_sentence(
    capsys: pytest.CaptureFixture[str], content: str | bytes, words: tuple[str, ...], said: str
) -> None:
    write("b.json", "{}")
    where = (*words[:1], write("bad.csv", content), *words[1:]) if "b.json" in words or words[0] == "match" else None
    code, out, err = told(capsys, *(where or (*words, write("bad.csv", content))))
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert "@x.com" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give two values with --kind, or two records"),
        (("a", "b"), "A or B is no file; say with --kind"),
        (("a",), "A or B is no file; say with --kind"),
        (("--kind", "email", "ann@x.com"), "--kind goes with two values"),
        (("--kind", "phone", "1", "2", "--region-b", "Switzerland"), "--region-b must be an ISO country code"),
        (("--a", "ann@x.com"), "--a is NAME=VALUE"),
        (("--a", "live=yes"), "'live' is no field of a record"),
        (("x", "y", "--a", "email=x"), "Give two values with --kind, or two records"),
    ],
)
def test_what_makes_no_pair_is_refused(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    code, out, err = told(capsys, "compare", *words)
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_has_a_limit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("people.csv", PEOPLE)
    monkeypatch.setattr(identity_files, "ROWS_MAX", 4)
    assert told(capsys, "match", file)[0] == 0
    monkeypatch.setattr(identity_files, "ROWS_MAX", 3)
    assert "has more than 3 rows" in told(capsys, "match", file)[2]
    monkeypatch.setattr(identity_files, "BYTES_MAX", 100)
    assert "is larger than 0 MB" in told(capsys, "match", file)[2]
    monkeypatch.setattr(identity_files, "JSON_MAX", 3)
    big = write("a.json", '{"email": "x@x.com"}')
    assert "is no JSON file of one record" in told(capsys, "compare", big, big)[2]
