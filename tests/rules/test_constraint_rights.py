"""The looks at permissions and at the log, and what the six of them come to."""

from dataclasses import replace
from typing import Any

import pytest

from onewriter.records import DAY
from onewriter.rules import constraints
from onewriter.rules.constraints import boundary, checks, is_of_rights
from onewriter.rules.evidence import Boundary, Check, FieldEvidence, LogEvidence, Parked
from onewriter.rules.policy import Direction
from tests.support.boundaries import FAIL, NOW, PASS, UNKNOWN, carried, known, left, logged, read


def permissions(*fields: FieldEvidence, **changes: Any) -> Check:
    return constraints.permissions(known(*fields, **changes))


# ---- Permissions ----------------------------------------------------------------------------------------------------


@pytest.mark.req("M46")
def test_a_right_that_was_tried() -> None:
    found = permissions(carried(tried_at=NOW - 2 * DAY), carried("email", tried_at=NOW - DAY), read(), left("tags"))
    assert found == Check("permissions", PASS, ("phone, email were tried and taken, 2 days ago at most.",))
    assert permissions(carried(tried_at=NOW - DAY)).evidence[0].endswith("a day ago at most.")
    assert permissions(carried(tried_at=NOW - DAY + 1)).evidence[0].endswith("less than a day ago at most.")
    assert permissions(carried(tried_at=NOW + DAY)).evidence[0].endswith("less than a day ago at most.")
    assert permissions(read()) == Check("permissions", PASS, ("Nothing of it is written to crm.",))
    shared = carried("note", direction=Direction.BOTH)
    assert permissions(shared, read()).outcome is UNKNOWN


@pytest.mark.req("M46")
def test_a_right_that_nobody_tried_is_not_known() -> None:
    found = permissions(carried(tried_at=1), carried("email", taken_at=5), carried("note"), carried("last_name"))
    assert found == Check(
        "permissions", UNKNOWN,
        (
            "Not tried: email, note, last_name. crm has lately taken writes of 1 of 4 fields; `onewriter audit check "
            "--system crm --try CUSTOMER` writes back what stands there.",
        ),
    )  # fmt: skip
    again = permissions(carried(tried_at=3, tried_refusal="no", taken_at=4))
    assert again.outcome is UNKNOWN
    assert permissions(carried(may_be_written=None)).outcome is UNKNOWN


@pytest.mark.req("M46")
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (carried(tried_at=3, tried_refusal="no permission"), "crm refused phone when it was tried: no permission."),
        (carried(tried_at=3, tried_refusal="no", taken_at=3), "crm refused phone when it was tried: no."),
        (carried(tried_at=0, tried_refusal="no"), "crm refused phone when it was tried: no."),
        (carried(may_be_written=False), "crm says of phone itself that we may not write it (phone)."),
        (carried(denied=2, denied_at=4, taken_at=3), "crm refused phone 2 times for want of a right, and has taken"),
        (carried(denied=1, denied_at=4, tried_at=3), "crm refused phone once for want of a right"),
        (carried(denied=1, denied_at=1), "crm refused phone once"),
    ],
)
def test_each_missing_right_is_named(wrong: FieldEvidence, sentence: str) -> None:
    found = permissions(wrong, carried("email"))
    assert (found.outcome, found.fields, len(found.evidence)) == (FAIL, ("phone",), 1)
    assert sentence in found.evidence[0]


@pytest.mark.req("M46")
@pytest.mark.parametrize(
    "since",
    [{"taken_at": 4}, {"tried_at": 4}, {"taken_at": 5, "tried_at": 2}, {"taken_at": 5, "tried_at": 3, "denied_at": 4}],
)
def test_what_was_taken_since_counts_for_more(since: dict[str, Any]) -> None:
    assert permissions(carried(**{"denied": 2, "denied_at": 4} | since)).outcome is not FAIL


@pytest.mark.req("M46")
def test_a_scope_that_is_missing_concerns_every_field() -> None:
    found = permissions(carried(may_be_written=False), scopes_missing=("write_customers",))
    assert (found.outcome, found.fields) == (FAIL, ())
    assert found.evidence[0] == "The shop does not grant write_customers."
    assert len(found.evidence) == 2


@pytest.mark.req("M48")
def test_what_is_parked_is_listed_with_its_age() -> None:
    refused = carried(parked=(Parked("in", "owned by shopify", 1, NOW - 9 * DAY), Parked("out", "too long", 1200, NOW)))
    told = (
        "Parked: 1 of phone, said by crm, which may not (owned by shopify); the oldest for 9 days.",
        "Parked: 1,200 of phone, which crm does not take (too long); the oldest for less than a day.",
    )
    assert permissions(refused).evidence[1:] == told
    assert permissions(replace(refused, tried_at=1)).evidence[1:] == told
    assert permissions(replace(refused, may_be_written=False)).evidence[1:] == told
    assert permissions(refused, carried("email"), asked="email").evidence[1:] == ()
    assert permissions(replace(refused, direction=Direction.IN)).evidence[1:] == told


@pytest.mark.req("M46")
@pytest.mark.parametrize(
    ("reason", "is_it"),
    [
        ("no permission to write the row", True),
        ("the credentials do not have the right to write it", True),
        ("the token lacks the scope write_customers", True),
        ("the column cannot be written", True),
        ("Odoo lets nobody write it", True),
        ("the system is only read", True),
        ("Shopify does not show customers to the app", True),
        ("longer than the 5 characters that note holds", False),
        ("a tag with a prefix, so that writing it here would change another field", False),
        ("a bright value, or one out of scopes", False),
    ],
)
def test_a_refusal_for_want_of_a_right_is_told_by_its_words(reason: str, is_it: bool) -> None:
    assert is_of_rights(reason) is is_it


# ---- Logging --------------------------------------------------------------------------------------------------------


@pytest.mark.req("M47")
def test_a_log_that_tells() -> None:
    told = (
        "100 lines of crm, 5 of them without a writer; 100 records have changed since they were linked, 5 of them "
        "unexplained; 2 cycles failed.",
    )
    assert constraints.logging(known(log=logged(unfinished=2))) == Check("logging", PASS, told)
    quiet = constraints.logging(known(log=logged(lines=0, nameless=0, changed=0, unexplained=0)))
    assert quiet.outcome is PASS


@pytest.mark.req("M47")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trouble": "It is away."}, "The newest cycle of crm did not end: It is away."),
        ({"nameless": 6}, "6 of 100 writes do not tell who wrote."),
        ({"unexplained": 6}, "6 of 100 changed records changed without a line of the log."),
        ({"trouble": "It is away.", "complete_at": None}, "The newest cycle of crm did not end: It is away."),
    ],
)
def test_each_gap_of_the_log_is_named(changes: dict[str, Any], sentence: str) -> None:
    found = constraints.logging(known(log=logged(**changes)))
    assert (found.outcome, found.evidence[0], len(found.evidence)) == (FAIL, sentence, 2)


@pytest.mark.req("M47")
@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (None, "There is no log: the pattern of the records is the only evidence."),
        (logged(complete_at=None), "No cycle of crm has been completed yet."),
        (logged(began_at=None), "The log is younger than one cycle."),
        (logged(began_at=10 * DAY + 1), "The log is younger than one cycle."),
    ],
)
def test_a_log_of_which_nothing_can_be_said(log: LogEvidence | None, sentence: str) -> None:
    found = constraints.logging(known(log=log))
    assert (found.name, found.outcome, found.evidence[0]) == ("logging", UNKNOWN, sentence)


# ---- The end --------------------------------------------------------------------------------------------------------


@pytest.mark.req("M41")
def test_six_looks_in_their_order() -> None:
    found = checks(known(carried(tried_at=1, forms={"by hand": "+1"})))
    names = ["direction", "match key", "coverage", "formatting", "permissions", "logging"]
    assert [(each.name, each.outcome) for each in found] == [(name, PASS) for name in names]
    assert boundary(found) == Boundary(None, (), "full")


@pytest.mark.req("M41")
@pytest.mark.parametrize("name", ["direction", "match key", "coverage", "permissions"])
def test_what_fails_at_the_boundary_ends_the_diagnosis_of_its_fields(name: str) -> None:
    found = [Check(name, FAIL, ("no",), ("phone",)), Check("logging", PASS, ("yes",))]
    ended = Boundary("boundary", (name,), "full")
    assert boundary(found) == boundary(found, "phone") == ended
    assert boundary(found, "email") == Boundary(None, (), "full")
    assert boundary([replace(found[0], fields=()), found[1]], "email") == ended
    assert boundary([replace(found[0], outcome=UNKNOWN), found[1]]) == Boundary(None, (), "full")


@pytest.mark.req("M41", "M47")
def test_form_and_log_do_not_end_it_and_the_log_makes_one_less_sure() -> None:
    wrong = [Check("formatting", FAIL, ("no",)), Check("logging", FAIL, ("no",)), Check("direction", PASS, ("yes",))]
    assert boundary(wrong) == Boundary(None, (), "lowered")
    assert boundary([Check("logging", UNKNOWN, ("?",))]).confidence == "lowered"
    assert boundary([Check("direction", PASS, ("yes",))]).confidence == "lowered"
    both = [Check("permissions", FAIL, ("no",)), Check("coverage", FAIL, ("no",))]
    assert boundary(both).begin_at == ("permissions", "coverage")
