"""The comparison of two systems: what is the same, what differs in form only, and what nobody can decide."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import Clean, Evidence, FieldRules, Hand, LinkOf, Rec, Report, Side
from onewriter.rules.diagnosis.facts import Relation, Verdict, Why
from tests.support.two_systems import SOURCE, TARGET, compared, cycles, evidence, put, row, ruled, wrote


def verdict(name: str, one: Any, other: Any, *, region: str | None = None, **said: Any) -> Verdict:
    """What one field of one pair comes to."""
    found = compared(one, other, name=name, rules=ruled(name, **said), region=region)
    counts = found.counts[name]
    told = {
        Verdict.EQUAL: counts.equal, Verdict.FORMAT: counts.format, Verdict.REAL: counts.real,
        Verdict.UNDECIDABLE: counts.undecidable,
    }  # fmt: skip
    assert (sum(told.values()), counts.compared) == (1, 1)
    assert (len(found.phantoms), len(found.rows), len(found.undecidable)) == (
        counts.format, counts.real, counts.undecidable,
    )  # fmt: skip
    return next(each for each, count in told.items() if count)


@pytest.mark.req("M67")
@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("email", "Ann@Example.com", " ann@example.com "),
        ("work_email", "ANN@B.COM", "ann@b.com"),
        ("phone", "+44 7911 123-456", "+447911123456"),
        ("phone", "+447911123456", "00447911123456"),
        ("phone", "+447911123456", "447911123456"),
        ("mobile", "07911 123456", "+447911123456"),
        ("first_name", " Ann  Lee", "Ann Lee"),
        ("first_name", "Jose\u0301", "José"),
        ("last_name", "O\u200bNeil", "ONeil"),
        ("tags", ["vip", "Trade"], ["trade", "VIP"]),
        ("tags", ["vip", "trade"], "trade, vip"),
        ("birthday", "1990-04-13", "13.04.1990"),
        ("birthday", "1990-04-03", "19900403"),
        ("birthday", "1990-04-03", "1990-04-03T00:00:00Z"),
        ("joined", "2024-01-01T10:00:00Z", "2024-01-01T11:00:00+01:00"),
        ("visits", 1, "1"),
        ("spent", "12.50", "12.5"),
        ("vip", True, "true"),
        ("vip", False, "no"),
        ("country", "de", "DE"),
        ("consent", "SUBSCRIBED", "subscribed"),
        ("consent", {"state": "subscribed", "at": "x"}, "subscribed"),
    ],
)
def test_what_differs_in_form_only_is_a_phantom(name: str, one: Any, other: Any) -> None:
    assert verdict(name, one, other) is Verdict.FORMAT


@pytest.mark.req("M67")
@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("email", "ann@example.com", "anne@example.com"),
        ("email", "ann.lee@gmail.com", "annlee@gmail.com"),
        ("phone", "+447911123456", "+447911123457"),
        ("phone", "+447911123456", "07911123456"),
        ("phone", "+14155552671", "4155552671"),
        ("first_name", "Ann", "ann"),
        ("note", "Straße", "Strasse"),
        ("tags", ["a", "b"], ["a"]),
        ("birthday", "1990-04-03", "1990-03-04"),
        ("joined", "2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z"),
        ("zip", "01234", "1234"),
        ("zip", "01234", 1234),
        ("code", "12", "12.0"),
        ("vip", True, "1.0"),
        ("note", None, "x"),
        ("note", "x", "  "),
        ("note", 0, None),
    ],
)
def test_what_says_something_else_is_real(name: str, one: Any, other: Any) -> None:
    assert verdict(name, one, other) is Verdict.REAL


def test_nothing_is_nothing_however_it_is_written() -> None:
    assert all(verdict("note", one, other) is Verdict.EQUAL for one, other in [("", None), ([], ""), (" ", None)])


@pytest.mark.parametrize(
    ("one", "other", "comes_to"),
    [
        ("1990-04-03", "03/04/1990", Verdict.UNDECIDABLE),
        ("1990-03-04", "03/04/1990", Verdict.UNDECIDABLE),
        ("03.04.1990", "03/04/1990", Verdict.UNDECIDABLE),
        ("04/03/1990", "03/04/1990", Verdict.UNDECIDABLE),
        ("3/4/1990", "03/04/1990", Verdict.FORMAT),
        ("1990-04-05", "03/04/1990", Verdict.REAL),
        ("1990-04-13", "13/04/1990", Verdict.FORMAT),
    ],
)
def test_a_date_that_may_be_two_is_never_guessed(one: str, other: str, comes_to: Verdict) -> None:
    assert verdict("birthday", one, other) is comes_to


def test_a_region_tells_what_a_number_dialled_at_home_is() -> None:
    assert verdict("phone", "+447911123456", "07911 123456", region="GB") is Verdict.FORMAT
    assert verdict("phone", "+447911123456", "07911 123456", region="FR") is Verdict.REAL
    assert verdict("phone", "+447911123456", "07911 123456", transform="national_phone") is Verdict.EQUAL


def test_a_transform_that_leads_back_makes_both_equal_and_one_that_loses_something_does_not() -> None:
    assert verdict("tags", ["a", "b"], "a|b", transform="joined") is Verdict.EQUAL
    assert verdict("joined", "2024-01-01T10:00:00Z", 1704103200, transform="seconds") is Verdict.EQUAL
    assert verdict("vip", True, "yes", transform="words") is Verdict.EQUAL
    assert verdict("name", "José", "Jose", transform="ascii") is Verdict.REAL
    assert verdict("phone", "+447911123456", "447911123456", transform="digits") is Verdict.REAL
    assert verdict("name", "José", "Jose", transform="theirs") is Verdict.REAL


def test_an_enum_makes_its_pairs_equal() -> None:
    enum = {"gold": "G", "silver": "S"}
    assert verdict("tier", "gold", "G", enum=enum) is Verdict.EQUAL
    assert verdict("tier", "gold", "g", enum=enum) is Verdict.FORMAT
    assert verdict("tier", "gold", "S", enum=enum) is Verdict.REAL
    assert verdict("tier", "bronze", "S", enum=enum) is Verdict.REAL


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ({"owner": "left"}, SOURCE),
        ({"owner": "right"}, TARGET),
        ({"owner": "right", "direction": "source_to_target"}, TARGET),
        ({"owner": None, "direction": "target_to_source"}, TARGET),
        ({"owner": "manual", "direction": "both"}, SOURCE),
        ({"owner": None}, SOURCE),
    ],
)
def test_the_owner_has_the_value_that_should_stand(said: dict[str, Any], origin: Side) -> None:
    found = row(compared("one", "other", rules=ruled(**said)))
    values = ("one", "other") if origin is SOURCE else ("other", "one")
    assert (found.origin, found.origin_value, found.copy_value) == (origin, *values)


def test_what_a_record_lacks_is_not_known_and_what_its_system_leaves_out_is_empty() -> None:
    lacking = evidence(({"a": "1", "b": "x"}, {"a": "1"}), ({"a": "2", "b": "x"}, {"a": "2", "b": ""}))
    assert compare(lacking).counts["b"].compared == 1
    leaving_out = evidence(({"a": "1", "b": "x"}, {"a": "1"}), ({"a": "2", "b": "x"}, {"a": "2", "b": "x"}))
    assert [each.key for each in compare(leaving_out).rows] == [("1", "c1", "b")]
    nowhere = evidence(({"a": "1", "b": "x"}, {"a": "1"}), ({"a": "", "b": "y"}, {"a": ""}))
    assert len(compare(nowhere).rows) == 2
    assert compare(evidence(({"a": "1", "b": "x"}, {"a": "1"}), fields=None)).rows == []


def test_a_record_that_was_erased_says_nothing() -> None:
    known = put(evidence(({"note": "x"}, {"note": "x"})), SOURCE, Rec("1", {"note": "x"}, deleted=5))
    found = row(compare(known))
    assert (found.origin_value, found.copy_value, found.relations) == (None, "x", {Relation.EMPTY_ORIGIN: None})
    assert found.pair.is_erased
    both = put(known, TARGET, Rec("c1", {}, redacted=True))
    assert compare(both).rows == []


def test_links_to_nowhere_are_not_compared() -> None:
    found = compare(evidence(({"note": "x"}, None), (None, {"note": "x"}), ({"note": "a"}, {"note": "a"})))
    assert (found.pairs, found.rows, found.counts["note"].equal) == (1, [], 1)


def test_what_nobody_had_to_open_counts_with_the_rest() -> None:
    known = evidence(({"note": "x"}, {"note": "y"}), clean={"note": Clean(99, 90)})
    counts = compare(known).counts["note"]
    assert (counts.compared, counts.equal, counts.real, counts.origin_filled, counts.copy_filled) == (
        100,
        99,
        1,
        91,
        91,
    )


def test_the_log_is_counted_by_field() -> None:
    log = [
        wrote(1, TARGET, "a", "b"),
        wrote(2, TARGET, "b", "c", Hand.PERSON),
        wrote(3, TARGET, "c", "d", accepted=False, reason="ACCESS_DENIED"),
        wrote(4, SOURCE, "c", "d"),
        wrote(5, TARGET, "a", "b", field="other"),
    ]
    counts = compared("d", "c", writes=log).counts["note"]
    assert (counts.writes, counts.refused, counts.refusals) == (1, 1, {"ACCESS_DENIED": 1})
    assert counts.writers == {"connector": 1, "user:ann": 1}
    assert compared("d", "c").counts["note"].writes is None


# ---- Reports and undone edits ---------------------------------------------------------------------------------------


def test_a_report_is_a_row_even_where_both_agree() -> None:
    found = row(compared("old", "old", reports=[Report("1", "note", "new")]))
    assert (found.why, found.is_reported, found.expected, found.verdict) == (Why.REPORTED, True, "new", Verdict.EQUAL)
    assert found.relations == {Relation.OTHER_VALUE: None}
    cut = row(compared("Anna-", "Anna-", reports=[Report("1", "note", "Anna-Maria")]))
    assert (cut.relations, cut.reverse) == ({Relation.PREFIX: "5"}, {Relation.OTHER_VALUE: None})
    differing = row(compared("new", "old", reports=[Report("1", "note", "new"), Report("9", "note", "x")]))
    assert (differing.why, differing.is_reported, differing.expected) == (Why.DIFFERS, True, "new")
    assert compared("new", "new", reports=[Report("1", "note", "new"), Report("1", "nothing", "x")]).rows == []


def test_a_phantom_that_is_reported_is_one_row_only() -> None:
    found = compared("Ann  Lee", "Ann Lee", reports=[Report("1", "note", "Anna Lee")])
    assert (row(found).why, found.phantoms) == (Why.REPORTED, [])


def undone(hand: Hand = Hand.CONNECTOR, edited_by: Hand = Hand.PERSON, **said: Any) -> list[Any]:
    return [wrote(3, SOURCE, "old", "new", edited_by), wrote(11, SOURCE, "new", "old", hand, **said)]


def test_an_edit_that_the_connector_took_back_is_a_row_though_both_agree() -> None:
    found = row(compared("old", "old", writes=undone(run="run1"), runs=cycles(3)))
    assert (found.why, found.edit_undone, found.flips) == (Why.REVERTED, True, 1)


def test_a_person_who_takes_back_an_edit_is_no_row() -> None:
    assert compared("old", "old", writes=undone(Hand.PERSON), runs=cycles(3)).rows == []


def test_a_value_that_was_changed_and_carried_is_no_row() -> None:
    log = [wrote(3, SOURCE, "old", "new", Hand.PERSON), wrote(11, TARGET, "old", "new", run="run1", caused_by=3)]
    assert compared("new", "new", writes=log, runs=cycles(3)).rows == []


def test_two_machines_that_fight_over_a_copy_are_a_row_though_both_agree_now() -> None:
    log = [
        wrote(4, TARGET, "a", "b", Hand.APP, writer="app:mailer"),
        wrote(11, TARGET, "b", "a", run="run1"),
        wrote(14, TARGET, "a", "b", Hand.APP, writer="app:mailer"),
        wrote(21, TARGET, "b", "a", run="run2"),
        wrote(24, TARGET, "a", "b", Hand.APP, writer="app:mailer"),
        wrote(31, TARGET, "b", "a", run="run3"),
    ]
    found = row(compared("a", "a", writes=[wrote(1, SOURCE, None, "a", Hand.PERSON), *log], runs=cycles(3)))
    assert (found.why, found.flips, found.copy_writers) == (Why.REVERTED, 5, ("app:mailer", "connector"))


# ---- Without a policy -----------------------------------------------------------------------------------------------


@pytest.mark.req("M70")
def test_two_record_sets_and_a_log_of_arbitrary_names_are_enough() -> None:
    people = [(f"p{place}@b.com", f"N{place}", f"+4479111234{place:02}") for place in range(8)]
    sources = {f"s{mail}": Rec(f"s{mail}", {"correo": mail, "Email": mail, "nombre": name}) for mail, name, _ in people}
    targets = {f"t{mail}": Rec(f"t{mail}", {"Email": mail.upper(), "vorname": name}) for mail, name, _ in people}
    targets["tp3@b.com"] = Rec("tp3@b.com", {"Email": "p3@b.com", "vorname": "X3"})
    log = [wrote(7, TARGET, "N3", "X3", Hand.PERSON, id="tp3@b.com", field="vorname")]
    found = compare(Evidence(source="uno", target="zwei", records={SOURCE: sources, TARGET: targets}, writes=log))
    assert found.pairs == 8
    assert [each.key for each in found.rows] == [("sp3@b.com", "tp3@b.com", "nombre")]
    assert (found.rows[0].copy_had_it, found.rows[0].copy_writers) == (True, ("user:ann",))
    assert {name: counts.format for name, counts in found.counts.items()} == {"Email": 7, "nombre": 0}


def test_fields_of_two_names_go_together_only_where_that_is_sure() -> None:
    same = [({"email": f"{place}@b.com", "a": "x"}, {"email": f"{place}@b.com", "b": "x"}) for place in range(9)]
    assert "a" not in compare(evidence(*same, fields=None)).counts
    two = [
        ({"email": f"{place}@b.com", "a": f"v{place}"}, {"email": f"{place}@b.com", "b": f"v{place}", "c": f"v{place}"})
        for place in range(9)
    ]
    assert "a" not in compare(evidence(*two, fields=None)).counts


def test_a_field_that_the_policy_leaves_out_is_compared_only_where_it_is_kept_in_step() -> None:
    pairs = [
        ({"note": "x", "city": f"c{place}", "score": place}, {"note": "x", "city": f"c{place}", "score": -1})
        for place in range(8)
    ]
    pairs[0][1]["city"] = "elsewhere"
    found = compare(evidence(*pairs, fields=[ruled("note")]))
    assert set(found.counts) == {"note", "city"}
    assert [each.key for each in found.rows] == [("1", "c1", "city")]


# ---- Properties -----------------------------------------------------------------------------------------------------

VALUES = st.sampled_from(
    [None, "", "ann", "Ann", "Ann Lee", "ann@b.com", "+447911123456", "07911123456", "1990-04-03", "03/04/1990", "007",
     7, True, ["a", "b"], "a, b", "José", "JosÃ©"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES, st.sampled_from(["note", "phone", "email", "tags"]))
def test_exchanging_the_sides_with_the_owner_finds_the_same(one: Any, other: Any, name: str) -> None:
    here = compared(one, other, name=name)
    there = compared(other, one, name=name, rules=ruled(name, owner="right"))
    for ours, theirs in zip((here.rows, here.phantoms), (there.rows, there.phantoms), strict=True):
        assert [(each.origin_value, each.copy_value, each.relations, each.reverse) for each in ours] == [
            (each.origin_value, each.copy_value, each.relations, each.reverse) for each in theirs
        ]
    assert here.counts == there.counts


class Untouched(str):
    """A text that may be held against another, and not be put into another form."""

    __slots__ = ()

    def strip(self, *_: Any) -> str:
        raise AssertionError("put into another form")

    split = casefold = lower = isascii = strip  # type: ignore[assignment]


def test_raw_values_that_are_equal_are_never_put_into_another_form() -> None:
    pairs = [({"email": Untouched("A@b.c"), "note": Untouched("x")}, {"email": "A@b.c", "note": "x"})] * 3
    found = compare(evidence(*pairs, fields=[ruled("email"), ruled("note")]))
    assert [counts.equal for counts in found.counts.values()] == [3, 3]


def test_fields_are_known_by_the_names_of_either_side() -> None:
    rules = FieldRules(name="phone", owner="left", source_field="tel", target_field="mobile")
    known = evidence(({"tel": "+447911123456"}, {"mobile": "+447911123400"}), fields=[rules])
    known.writes = [wrote(5, TARGET, None, "+447911123400", field="phone")]
    known.links = [LinkOf("1", "c1"), LinkOf("1", "c1")]
    found = row(compare(known))
    assert (found.rules.name, found.copy_write, found.pair.differing) == ("phone", known.writes[0], 1)
