"""What a copy is to its origin: each relation, and what only looks like it."""

from typing import Any

import pytest

from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import LinkOf, Rec
from onewriter.rules.diagnosis.facts import Relation
from onewriter.rules.diagnosis.losses import FUNCTIONS, loss
from onewriter.rules.diagnosis.relations import relate
from tests.support.two_systems import SOURCE, compared, evidence, put, row

LOST = {
    "accents dropped": ("Müller", "Muller", "Mueller"),
    "letters beyond ASCII dropped": ("José", "Jos", "Joe"),
    "letters beyond ASCII replaced": ("José", "Jos?", "Jo??"),
    "lower": ("McDonald", "mcdonald", "mcdonalds"),
    "upper": ("McDonald", "MCDONALD", "MCDONALDS"),
    "title": ("ann LEE", "Ann Lee", "Ann Leigh"),
    "capitalised": ("ann LEE", "Ann lee", "Anne lee"),
    "accents and capitals dropped": ("Zoë", "zoe", "zoa"),
    "first of a list": ("vip, trade", "vip", "vi"),
    "last of a list": ("vip, trade", "trade", "trad"),
    "some of a list": ("vip, trade, b2b", "vip, b2b", "vip, other"),
    "first word": ("Ann Mary", "Ann", "Anna"),
    "last word": ("Ann Mary", "Mary", "May"),
    "initial": ("Ann", "A.", "B."),
    "domain only": ("ann@b.com", "b.com", "c.com"),
    "local part only": ("ann@b.com", "ann", "anne"),
    "plus tag dropped": ("ann+x@b.com", "ann@b.com", "ann@c.com"),
    "digits only": ("A-1234", "1234", "1235"),
    "letters only": ("Ann7", "Ann", "Anm"),
    "blanks dropped": ("12 34 AB", "1234AB", "1234AC"),
    "marks dropped": ("O'Neil-Smith 2", "ONeilSmith 2", "ONealSmith 2"),
    "slug": ("Ünal & Co", "unal-co", "unal-corp"),
    "year only": ("1990-04-03", "1990", "1991"),
    "month only": ("1990-04-03", "1990-04", "1990-05"),
    "first of the month": ("1990-04-03", "1990-04-01", "1990-05-01"),
    "month and day only": ("1990-04-03", "04-03", "04-04"),
    "time dropped": ("2024-01-01T10:00:00Z", "2024-01-01", "2024-01-02"),
    "decimals dropped": ("12.75", "12", "11"),
    "rounded": ("12.75", "13", "14"),
    "last digits": ("12345678", "5678", "5679"),
    "country code dropped": ("+447911123456", "07911 123456", "07911 123457"),
    "masked": ("4111222233334444", "************4444", "************4445"),
}


@pytest.mark.parametrize("name", LOST)
def test_each_loss_is_told_by_its_name(name: str) -> None:
    origin, copy, other = LOST[name]
    assert relate(origin, copy)[Relation.LOSSY] == name
    assert loss(origin, other) != name


def test_every_function_that_loses_something_is_tried() -> None:
    assert {name for name, _ in FUNCTIONS} <= set(LOST)


def test_a_list_may_lose_some_of_it() -> None:
    assert loss(["vip", "trade"], ["vip"]) == "first of a list"
    assert loss(["vip", "trade"], "trade") == "last of a list"
    assert loss(["vip", "trade", "b2b"], ["vip", "b2b"]) == "some of a list"
    assert loss(["vip", "trade"], ["vip", "new"]) is None
    assert loss(True, "true") is None


@pytest.mark.parametrize(
    ("origin", "copy", "relation", "detail"),
    [
        ("x", None, Relation.EMPTY_COPY, None),
        ("x", " ", Relation.EMPTY_COPY, None),
        (None, "x", Relation.EMPTY_ORIGIN, None),
        ("Christopher", "Christo", Relation.PREFIX, "7"),
        ("Christopher Lee", "Christopher ", Relation.PREFIX, "12"),
        ("Christopher", "Chris...", Relation.PREFIX, "8"),
        (["alpha", "beta"], "alpha, be", Relation.PREFIX, "9"),
        ("1990-04-03", "1990-04-02", Relation.DAY_SHIFT, "-1 day"),
        ("1990-04-03", "03.04.1990 ", Relation.OTHER_VALUE, None),
        ("1990-04-03", "1990-04-02T22:00:00Z", Relation.DAY_SHIFT, "-2 h"),
        ("2024-01-01T10:00:00Z", "2024-01-01T15:30:00Z", Relation.DAY_SHIFT, "+5.5 h"),
        ("1990-04-03", "1990-03-04", Relation.DAY_MONTH, None),
        ("José", "JosÃ©", Relation.MOJIBAKE, "latin-1"),
        ("Łódź €", "Å\x81Ã³dÅº â‚¬", Relation.MOJIBAKE, "cp1252"),
        ("José", "JosÃƒÂ©", Relation.MOJIBAKE, "cp1252, twice"),
        ("JosÃ©", "José", Relation.MOJIBAKE, "latin-1, mended"),
        ("José", "Jos√©", Relation.MOJIBAKE, "mac_roman"),
        ("José", "Jos\ufffd", Relation.MOJIBAKE, "replaced"),
        ("00123", "123", Relation.ZEROS_LOST, "2"),
        ("00123", 123, Relation.ZEROS_LOST, "2"),
        ("447911123456", "4.47911E+11", Relation.NUMBER, "scientific"),
        ("+447911123456", "4,47911E+11", Relation.NUMBER, "scientific"),
        ("12", "12.0", Relation.NUMBER, "a point and zeros"),
        ("1234567890123456789", "1234567890123456800", Relation.NUMBER, "digits lost"),
        ("1990-04-03", 32966, Relation.NUMBER, "serial of a date"),
        ("one", "two", Relation.OTHER_VALUE, None),
    ],
)
def test_each_relation_with_its_detail(origin: Any, copy: Any, relation: Relation, detail: str | None) -> None:
    found = relate(origin, copy)
    assert found.get(relation, "not there") == detail


@pytest.mark.parametrize(
    ("origin", "copy", "relation"),
    [
        ("Christopher", "Ch", Relation.PREFIX),
        ("Chris", "Christopher", Relation.PREFIX),
        ("Christopher", "Crist", Relation.PREFIX),
        ("1990-04-03", "1990-04-05", Relation.DAY_SHIFT),
        ("1990-04-03", "1990-04-03", Relation.DAY_SHIFT),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:07:00Z", Relation.DAY_SHIFT),
        ("2024-01-01T10:00:00Z", "2024-01-03T10:00:00Z", Relation.DAY_SHIFT),
        ("1990-04-04", "1990-04-04", Relation.DAY_MONTH),
        ("1990-04-03", "1991-03-04", Relation.DAY_MONTH),
        ("José", "Josè", Relation.MOJIBAKE),
        ("José", "Jose", Relation.MOJIBAKE),
        ("00123", "1230", Relation.ZEROS_LOST),
        ("123", "00123", Relation.ZEROS_LOST),
        ("447911123456", "4.48911E+11", Relation.NUMBER),
        ("447911123456", "4.47911E+10", Relation.NUMBER),
        ("12", "12.5", Relation.NUMBER),
        ("1990-04-03", "32967", Relation.NUMBER),
    ],
)
def test_what_only_looks_like_it_is_none(origin: Any, copy: Any, relation: Relation) -> None:
    assert relation not in relate(origin, copy)


# ---- Other fields and records ---------------------------------------------------------------------------------------


def test_the_copy_may_be_another_field_of_the_same_record() -> None:
    person = {"phone": "+447911123456", "mobile": "+447911999999", "note": "x", "vip": True, "flag": True}
    assert relate("+447911123456", "+44 7911 999999", field="phone", fields=person) == {Relation.OTHER_FIELD: "mobile"}
    assert relate(None, "+447911999999", field="phone", fields=person)[Relation.OTHER_FIELD] == "mobile"
    assert Relation.OTHER_FIELD not in relate("ab", "x", field="phone", fields=person)
    assert Relation.OTHER_FIELD not in relate(False, True, field="vip", fields=person)
    # What it shares with its own value by another spelling is no hint at another field.
    assert Relation.OTHER_FIELD not in relate("a  b c", "a b c", field="note", fields={"note": "a  b c", "b": "a b c"})


def test_the_copy_may_be_that_of_another_record_where_few_have_it() -> None:
    people = [({"note": f"value {place}"}, {"note": f"value {place}"}) for place in range(1, 6)]
    people[0][1]["note"] = "value 3"
    found = row(compare(evidence(*people)))
    assert found.relations == {Relation.OTHER_RECORD: "3"}
    assert found.reverse == {Relation.OTHER_VALUE: None}
    shared = [({"note": f"value {place}"}, {"note": f"value {place}"}) for place in range(1, 3)]
    shared += [({"note": "common"}, {"note": "common"})] * 5
    shared[0][1]["note"] = "common"
    assert row(compare(evidence(*shared))).relations == {Relation.OTHER_VALUE: None}


def test_another_record_of_the_same_link_is_named_however_many_have_the_value() -> None:
    people = [({"note": "common"}, {"note": "common"})] * 6
    known = put(evidence(*people), SOURCE, Rec("ann", {"note": "mine"}))
    known.links = [*(known.links or ()), LinkOf("ann", "c2")]
    assert row(compare(known)).relations == {Relation.OTHER_RECORD: "2"}


def test_the_reverse_is_told_as_well() -> None:
    found = row(compared("Muller", "Müller"))
    assert found.relations == {Relation.OTHER_VALUE: None}
    assert found.reverse == {Relation.LOSSY: "accents dropped"}
