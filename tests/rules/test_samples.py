"""One sample by each path: what the constraint check looks at to say whether form is the same everywhere."""

import pytest

from onewriter.audit.samples import forms
from onewriter.rules.constraints import formatting
from onewriter.rules.evidence import Check, Evidence, FieldEvidence, Outcome
from onewriter.rules.identity.numbering import example
from onewriter.rules.policy import Direction, FieldMap, Policy

FORMS = {"email": "ann.lee@example.com", "first_name": "Zo\u00eb", "note": "two  words", "phone": "+41781234567"}


def held(name: str, **changes: object) -> dict[str, FieldMap]:
    return {name: FieldMap(remote="there", direction=Direction.OUT, **changes)}  # type: ignore[arg-type]


def by_path(maps: dict[str, FieldMap], region: str | None = "CH", hand: str | None = None) -> dict[str, str | None]:
    """What the paths make of the sample of the one field that is mapped."""
    [(_name, found)] = forms(
        Policy(systems={"crm": maps}), "crm", region, lambda name, _typed: hand or FORMS[name]
    ).items()
    return dict(found)


@pytest.mark.req("M45")
@pytest.mark.parametrize(
    "maps",
    [
        held("email"), held("email", transform="upper"), held("first_name", transform="ascii"),
        held("note", transform="json"), held("phone"), held("phone", transform="e164"),
        held("phone", transform="bare_e164"), held("phone", transform="digits"),
        held("phone", transform="national_phone", options={"country": "CH"}),
        held("phone", transform="national_phone", options={"country": "US"}),
    ],
)  # fmt: skip
def test_however_a_system_writes_it_the_sample_is_the_same(maps: dict[str, FieldMap]) -> None:
    [name] = maps
    assert by_path(maps) == dict.fromkeys(("by hand", "from a file", "shopify", "crm"), FORMS[name])


@pytest.mark.req("M45")
def test_a_path_that_makes_another_value_is_seen() -> None:
    found = by_path(held("phone"), hand="078 123 45 67")
    known = Evidence(system="crm", now=0, fields=(FieldEvidence(name="phone", owner="shopify", forms=found),))
    told = "One phone becomes 2 values by different paths: by hand / crm and from a file and shopify."
    assert formatting(known) == Check("formatting", Outcome.FAIL, (told,), ("phone",))


def test_what_has_no_sample_or_knows_certain_words_only_is_left_out() -> None:
    maps = held("tags") | held("custom.size") | held("note", enum={"two  words": "2"})
    assert forms(Policy(systems={"crm": maps}), "crm", "CH", lambda _name, _typed: None) == {}


def test_without_a_country_a_number_is_written_with_its_code() -> None:
    assert by_path(held("phone"), None, "+12015550123") == dict.fromkeys(
        ("by hand", "from a file", "shopify", "crm"), "+12015550123"
    )
    assert example("CH") == ("078 123 45 67", "+41781234567")
    assert example(None) is None
    assert example("ZZ") is None
