"""Ids, names and text as they arrive: what is trimmed, what is one id, and that a name is never a key."""

import pytest

from onewriter.errors import NotUnderstood
from onewriter.rules.identity import IdentityRule, canonical_field, compare_values, read_id, rule_of, scoped
from onewriter.rules.identity.fields import Canonical
from onewriter.rules.identity.ids import ID_LENGTH_MAX
from onewriter.rules.identity.text import cleaned, demojibaked, skeleton, visible, without_entities
from onewriter.rules.policy import KeyRule

MATCH, REVIEW, NO_MATCH = "match", "review", "no_match"


@pytest.mark.req("M43")
@pytest.mark.parametrize(
    ("one", "other", "decision"),
    [
        ("123", "123", MATCH), ("123.0", "123", MATCH), ("12.000", "12", NO_MATCH),
        ("1,000", "1", NO_MATCH), ("123,00", "123", MATCH), ("'123", "123", MATCH),
        ('="123"', "123", MATCH), (" 123\u00a0", "123", MATCH), ("gid://shopify/Customer/123", "123", MATCH),
        ("gid://shopify/Customer/123?model_name=Customer", "123", MATCH),
        ("GID://shopify/customer/123", "123", MATCH),
        ("Z2lkOi8vc2hvcGlmeS9DdXN0b21lci8xMjM=", "123", MATCH), ("crm:123", "crm:123", MATCH),
        ("550E8400-E29B-41D4-A716-446655440000", "{550e8400-e29b-41d4-a716-446655440000}", MATCH),
        ("urn:uuid:550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000", MATCH),
        ("abc", "ABC", REVIEW), ("00123", "123", REVIEW), ("1２3", "123", REVIEW), ("С1", "C1", REVIEW),
        ("123", "124", NO_MATCH), ("gid://shopify/Customer/123", "gid://shopify/Order/123", NO_MATCH),
        ("gid://shopify/Order/123", "123", NO_MATCH), ("crm:123", "pos:123", NO_MATCH), ("crm:123", "123", NO_MATCH),
        ("1.23E+18", "1.23E+18", NO_MATCH), ("null", "null", NO_MATCH), ("0", "0", NO_MATCH), ("-1", "-1", NO_MATCH),
        ("gid://shopify/Customer/0", "gid://shopify/Customer/0", NO_MATCH),
        ("0000", "0000", NO_MATCH), ("guest", "guest", NO_MATCH), ("", "", NO_MATCH), ("123.5", "123", NO_MATCH),
        ("9" * (ID_LENGTH_MAX + 1), "9" * (ID_LENGTH_MAX + 1), NO_MATCH),
    ],
)  # fmt: skip
def test_ids_are_one_if_they_are_equal_without_what_was_put_around_them(one: str, other: str, decision: str) -> None:
    found = compare_values("id", one, None, other, None)
    assert found.decision == decision
    assert compare_values("id", other, None, one, None).decision == decision
    if decision == MATCH:
        assert found.key == "id"
        assert found.repairs == (("format",) if one != other else ())
        assert found.reason == ("one id, but for its format" if one != other else "one id")


def test_an_id_has_the_system_that_gave_it() -> None:
    assert scoped(" CRM ", "7.0") == "crm:7"
    assert scoped(None, "7") == ":7"
    assert scoped("crm", "null") is None
    assert read_id("9" * ID_LENGTH_MAX) == "9" * ID_LENGTH_MAX
    assert read_id("Z2lkOi8vé") == "Z2lkOi8vé"
    assert read_id("Z2lkOi8v/////w==") == "Z2lkOi8v/////w=="
    assert read_id("Z2lkOi8vabcde") == "Z2lkOi8vabcde"


@pytest.mark.req("M65")
@pytest.mark.parametrize("name", ["name", "first_name", "last_name", "Full Name", " NAMES ", "surname"])
def test_a_name_is_refused_as_a_key_with_the_reason(name: str) -> None:
    with pytest.raises(NotUnderstood, match="A name is never a key: many people have one name"):
        rule_of(KeyRule(keys=("email", name)))
    found = compare_values("name", "Ann Lee", None, "Ann Lee", None)
    assert (found.decision, found.key, found.reason) == (NO_MATCH, None, "a name is never a key")


@pytest.mark.req("M74")
def test_a_rule_has_its_keys_in_order_and_a_version() -> None:
    rule = rule_of(
        KeyRule(keys=("phone", "id"), soft_email=False, shared_by_max=2), version=3, blocked=["+41446681800"]
    )
    assert (rule.keys, rule.soft_email, rule.nameless_max, rule.version) == (("phone", "id"), False, 2, 3)
    assert rule.blocked == {"+41446681800"}
    standard = rule_of(KeyRule())
    assert (standard.keys, standard.soft_email, standard.nameless_max) == (("id", "email", "phone"), True, 4)
    assert (standard.version, standard.surnames_max, standard.records_max, standard.cluster_max) == (0, 2, 25, 8)
    assert rule_of(KeyRule(shared_by_max=1)).nameless_max == 1
    assert IdentityRule().version == 0


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            KeyRule(keys=("email", "email")),
            "The identity rule names email twice; name each key once, the strongest first.",
        ),
        (KeyRule(keys=()), "The identity rule has no key; name some of id, email, phone."),
        (KeyRule(keys=("zip",)), "The identity rule names a key that there is not; there are id, email, phone."),
        (KeyRule(shared_by_max=0), "The identity rule's shared_by_max must be 1 or more."),
    ],
)
def test_a_rule_that_cannot_be_is_refused(keys: KeyRule, said: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        rule_of(keys)
    assert str(refused.value) == said


def test_what_nobody_sees_goes_and_every_blank_is_one() -> None:
    assert visible("a\tb\x00c\nd\x7f") == "a bc d"
    assert visible("a\u200b\u2003b\u034f\ufe0f\U000e0101c\x85d\ud800\u180be") == "a bc de"
    assert visible("plain é") == "plain é"
    assert without_entities("&amp;amp;#64;") == "&#64;"
    assert without_entities("&amp;#64; &bogus; &copy ;") == "@ &bogus; &copy ;"
    assert cleaned(" a&amp;b ") == ("a&b", ("entities", "blanks"))
    assert cleaned("a b") == ("a b", ())
    assert cleaned("\u200ba ") == ("a", ("unseen characters",))


def test_letters_that_look_alike_have_one_skeleton() -> None:
    assert skeleton("раураӏ") == "paypal"
    assert skeleton("ｐａｙｐａｌ") == "paypal"
    assert skeleton("ﬁ") == "fi"
    assert skeleton("zoë") == "zoë"
    assert demojibaked("JosÃ© MÃ¼ller") == "José Müller"
    assert demojibaked("josã©") == "josé"
    assert demojibaked("José") == "José"
    assert demojibaked("plain") == "plain"
    assert demojibaked("\u00c3\u0081") == "Á"


@pytest.mark.parametrize(
    ("name", "raw", "kept"),
    [
        ("email", " Ann@Example.com\0 ", Canonical("Ann@Example.com", "ann@example.com")),
        ("email", " No Address ", Canonical("No Address", "no address")),
        ("phone", " 044 668 18 00", Canonical("044 668 18 00", "+41446681800")),
        ("address.phone", "044 668 18 00", Canonical("044 668 18 00", "+41446681800")),
        ("phone", "call  me", Canonical("call  me", "call me")),
        ("first_name", " Ann\u200b  LEE ", Canonical("Ann\u200b  LEE", "ann lee")),
        ("note", "Ann\t LEE", Canonical("Ann\t LEE", "Ann LEE")),
        ("note", "e\u0301", Canonical("e\u0301", "é")),
        ("note", " \0 ", Canonical(None, None)),
        ("email", None, Canonical(None, None)),
    ],
)
def test_a_field_has_one_form_whoever_brought_it(name: str, raw: str | None, kept: Canonical) -> None:
    assert canonical_field(name, raw, "CH") == kept
