"""The looks at direction, match key, coverage and form: what passes, what fails, and what is not known."""

from typing import Any

import pytest

from onewriter.rules import constraints
from onewriter.rules.evidence import Check, FieldEvidence, Parked
from onewriter.rules.policy import Direction
from tests.support.boundaries import FAIL, NOW, PASS, UNKNOWN, carried, keyed, known, left, read


def direction(*fields: FieldEvidence, **changes: Any) -> Check:
    return constraints.direction(known(*fields, **changes))


def coverage(*fields: FieldEvidence, **changes: Any) -> Check:
    return constraints.coverage(known(*fields, **changes))


# ---- Direction ------------------------------------------------------------------------------------------------------


@pytest.mark.req("M42")
def test_fields_that_go_as_their_owners_need() -> None:
    mine = carried("note", owner="manual", direction=Direction.NONE, owner_is_asked=False)
    shared = carried("last_name", writers=("shopify", "crm"), direction=Direction.BOTH)
    told = carried("first_name", owner="erp")
    assert direction(carried(), read(), mine, shared, told, left("tags")) == Check(
        "direction", PASS, ("5 fields go as the owners need: 1 in, 2 out, 1 both, 1 none.",)
    )
    assert direction(carried()).evidence == ("One field goes as the owners need: 1 out.",)
    both_ways = read(writers=("crm", "shopify"), direction=Direction.BOTH)
    assert direction(both_ways).outcome is PASS


@pytest.mark.req("M42")
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (carried(owner=None), "Nobody is written down as the owner of phone."),
        (carried(direction=Direction.BOTH), "phone goes both ways with crm, and nobody agreed that two may write it."),
        (read("phone", direction=Direction.BOTH), "phone goes both ways with crm, and nobody agreed"),
        (carried(writers=("shopify", "erp"), direction=Direction.BOTH), "phone goes both ways with crm"),
        (left("phone", owner_is_asked=True), None),
        (read("phone", direction=None), "crm owns phone and is not asked for it: it is not mapped."),
        (read("phone", direction=Direction.OUT), "what it says is not taken up: it is mapped out."),
        (read("phone", direction=Direction.NONE), "what it says is not taken up: it is mapped none."),
        (carried(direction=Direction.IN), "crm is asked for phone as if it were its own, and shopify owns it."),
        (carried(owner="erp", owner_is_asked=False), "erp owns phone, and nobody asks it."),
    ],
)
def test_each_wrong_way_is_named(wrong: FieldEvidence, sentence: str | None) -> None:
    found = direction(wrong, carried("email"))
    if sentence is None:
        assert found.outcome is PASS
        return
    assert (found.outcome, found.fields, len(found.evidence)) == (FAIL, ("phone",), 1)
    assert sentence in found.evidence[0]


@pytest.mark.req("M42")
def test_a_direction_is_not_known_of_what_is_not_mapped() -> None:
    nothing = Check("direction", UNKNOWN, ("Nothing of it is mapped to crm, so it goes no way yet.",))
    assert direction(left("tags")) == nothing
    assert direction(left("tags"), carried(), asked="tags") == nothing
    assert direction(carried(owner=None), carried("email"), asked="email").outcome is PASS


def test_edits_that_a_system_may_not_make_are_told_beside() -> None:
    once = carried("email", refused_edits=1)
    often = carried(refused_edits=1200)
    assert direction(once, often).evidence[1:] == (
        "crm changed email by itself once, and does not own it.",
        "crm changed phone by itself 1,200 times, and does not own it.",
    )
    assert direction(once, carried(owner=None)).evidence[1] == "crm changed email by itself once, and does not own it."


# ---- Match key ------------------------------------------------------------------------------------------------------

COUNTS = (
    "Keys: id, email. 100 records: 95 linked (80 by email, 15 by id), 5 wait for a person, 0 nobody's, 0 taken apart "
    "by people."
)


@pytest.mark.req("M43")
def test_keys_that_link() -> None:
    found = constraints.match_key(known(keys=keyed(churn={"email": 0.05, "phone": 0.9})))
    assert found == Check("match key", PASS, (COUNTS,))
    half = constraints.match_key(known(keys=keyed(linked=50, by={}, review=5, apart=2)))
    assert half.outcome is PASS
    assert half.evidence == (
        "Keys: id, email. 100 records: 50 linked, 5 wait for a person, 45 nobody's, 2 taken apart by people.",
    )
    assert constraints.match_key(known(keys=keyed(records=20, linked=16, review=4))).outcome is PASS
    tied = keyed(by={"phone": 2, "email": 2, "id": 3})
    assert "(3 by id, 2 by email, 2 by phone)" in constraints.match_key(known(keys=tied)).evidence[0]


@pytest.mark.req("M43")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"keys": (), "mapped": ()}, "There is no key of identity, so that no record finds its customer."),
        ({"keys": ("email", "Last_Name")}, "Last_Name is a key, and a name tells nobody apart."),
        ({"by": {"name": 3}}, "name is a key, and a name tells nobody apart."),
        ({"mapped": ()}, "crm has no field that is mapped to id or email, so that no record finds its customer."),
        ({"churn": {"email": 0.051}}, "email changes for 5.1% of the customers a week, too often for a key."),
        ({"mapped": ("id",), "churn": {"email": 0.5}}, "email changes for 50.0% of the customers a week"),
        ({"linked": 0, "review": 0}, "None of the 100 records of crm is linked to a customer."),
        ({"records": 90, "linked": 85}, "5.6% of the records wait for a person"),
        ({"linked": 90, "review": 6}, "6.0% of the records wait for a person: the key does not tell them apart."),
    ],
)
def test_each_poor_key_is_named(changes: dict[str, Any], sentence: str) -> None:
    found = constraints.match_key(known(keys=keyed(**changes)))
    assert (found.outcome, found.fields, len(found.evidence)) == (FAIL, (), 2)
    assert sentence in found.evidence[0]
    assert found.evidence[1].startswith("Keys: ")


@pytest.mark.req("M43")
def test_a_key_is_not_known_without_records_or_with_few_that_link() -> None:
    assert constraints.match_key(known(keys=None)) == Check(
        "match key", UNKNOWN, ("Nobody said by what records are linked.",)
    )
    empty = constraints.match_key(known(keys=keyed(records=0, linked=0, review=0, by={})))
    assert (empty.outcome, empty.evidence[0]) == (UNKNOWN, "No record of crm has been read yet.")
    few = constraints.match_key(known(keys=keyed(linked=49, churn={"phone": 0.9})))
    assert (few.outcome, few.evidence[0][:27]) == (UNKNOWN, "Most records are nobody's: ")
    none = constraints.match_key(known(keys=keyed(keys=(), mapped=(), records=0, linked=0, by={})))
    assert none.evidence[1].startswith("Keys: none. 0 records")


# ---- Coverage -------------------------------------------------------------------------------------------------------


@pytest.mark.req("M44")
def test_what_is_carried_and_what_is_not() -> None:
    rest = [left(name) for name in ("tags", "tags[vip:*]", "note", "email_consent", "state", "locale")]
    compared = carried("custom.size", direction=Direction.NONE)
    found = coverage(carried(), read(), compared, *rest, free=("fax", "shoe"))
    assert found == Check(
        "coverage", PASS,
        (
            "Carried: phone, tier.",
            "Not carried: tags, tags[vip:*], note, email_consent, 3 more of the shop's.",
            "Fields of crm that nobody mapped: fax, shoe.",
        ),
    )  # fmt: skip
    names = [f"field{number}" for number in range(8)]
    assert coverage(*map(carried, names[:6])).evidence[0] == f"Carried: {', '.join(names[:6])}."
    assert coverage(*map(carried, names)).evidence == (f"Carried: {', '.join(names[:6])} and 2 more.",)
    assert coverage(carried(), left("tags")).evidence[1] == "Not carried: tags."
    misfit = carried(parked=(Parked("out", "too long", 3, NOW),), reaches_shop=False)
    assert coverage(misfit).outcome is PASS


@pytest.mark.req("M44")
def test_what_the_system_has_not_is_not_carried() -> None:
    found = coverage(carried(is_there=False), carried("email"), left("fax", is_there=False))
    assert (found.outcome, found.fields) == (FAIL, ("phone",))
    assert found.evidence[0] == "phone is mapped to phone, and crm has no such field that we may see."
    assert found.evidence[1] == "Not carried: 1 more of the shop's."
    nothing = coverage(left("tags"), carried("note", direction=Direction.NONE))
    assert (nothing.outcome, nothing.evidence[0]) == (FAIL, "No field is carried between the shop and crm.")


@pytest.mark.req("M44", "M46")
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (left("note"), "note is not mapped to crm."),
        (carried("note", direction=Direction.NONE), "note is compared with crm and never written: it is mapped none."),
        (read("note", reaches_shop=False), "note comes from crm and goes no further: nobody mapped it to shopify."),
        (
            carried("note", parked=(Parked("out", "too long", 2, NOW), Parked("out", "no permission", 5, NOW))),
            "2 values of note do not fit in crm: too long.",
        ),
    ],
)
def test_the_field_in_question_must_get_across(asked: FieldEvidence, sentence: str) -> None:
    found = coverage(carried(), asked, left("tags"), asked="note")
    assert (found.outcome, found.fields, found.evidence) == (FAIL, ("note",), (sentence,))
    assert coverage(carried(), asked, left("tags")).outcome is PASS
    assert coverage(carried(), asked, asked="phone").evidence == ("Carried: phone.",)


@pytest.mark.req("M44")
def test_coverage_is_not_known_of_a_system_that_was_not_asked() -> None:
    found = coverage(carried(is_there=None), left("tags"), free=None)
    assert (found.outcome, len(found.evidence)) == (UNKNOWN, 2)
    assert found.evidence[0].startswith("crm was not asked what fields it has; `onewriter systems check crm`")
    parked = carried(parked=(Parked("in", "owned by shopify", 2, NOW), Parked("out", "no permission to write", 1, NOW)))
    assert coverage(parked, asked="phone").outcome is PASS


# ---- Formatting -----------------------------------------------------------------------------------------------------


@pytest.mark.req("M45")
def test_one_form_by_each_path() -> None:
    same = {"by hand": "+1", "crm": "+1", "from a file": "+1"}
    empty = dict.fromkeys(same, None)
    found = constraints.formatting(known(carried(forms=same), carried("email", forms=same), carried("note")))
    assert found == Check(
        "formatting", PASS, ("One sample of phone, email is the same by each path: by hand, crm, from a file.",)
    )
    two = constraints.formatting(known(carried(forms=same | {"crm": "+2", "from a file": None})))
    assert two == Check(
        "formatting", FAIL, ("One phone becomes 2 values by different paths: by hand / crm.",), ("phone",)
    )
    apart = constraints.formatting(known(carried(forms=same | {"by hand": "1"}), carried("email", forms=empty)))
    assert apart.evidence == (
        "One phone becomes 2 values by different paths: by hand / crm and from a file.",
        "Nothing is made of a sample of email by: by hand, crm, from a file.",
    )
    silent = constraints.formatting(known(carried(forms=same | {"crm": None})))
    assert silent == Check("formatting", UNKNOWN, ("Nothing is made of a sample of phone by: crm.",))
    untried = Check("formatting", UNKNOWN, ("No field was tried of which there is a sample.",))
    assert constraints.formatting(known(carried(), carried("email", forms=same), asked="phone")) == untried
