"""Ids, names and text as they arrive: what is trimmed, what is one id, and that a name is never a key."""

import pytest

from onewriter.errors import NotUnderstood
from onewriter.rules.identity import (
    DEFAULT_RULE,
    VALUE_KINDS,
    IdentityRule,
    ValueKind,
    canonical_field,
    compare_values,
    read_id,
    rule_of,
    scoped,
)
from onewriter.rules.identity.fields import Canonical
from onewriter.rules.identity.ids import ID_LENGTH_MAX
from onewriter.rules.identity.text import cleaned, demojibaked, is_null_like, skeleton, visible, without_entities
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
        ("0000", "0000", NO_MATCH), ("guest", "guest", NO_MATCH), ("1e0", "1e0", NO_MATCH),
        ("0-0.0", "0-0.0", NO_MATCH),
        ("Anonymous", "Anonymous", NO_MATCH), ("true", "true", NO_MATCH), ("false", "false", NO_MATCH),
        ("default", "default", NO_MATCH), ("new", "new", NO_MATCH), ("id", "id", NO_MATCH), ("deux", "deux", MATCH),
        ("gid://shopify/Customer/00", "gid://shopify/Customer/00", NO_MATCH),
        ("{550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000", MATCH),
        ("", "", NO_MATCH), ("123.5", "123", NO_MATCH),
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


SOFT_EMAIL = "addresses that may be one mailbox: they differ in tags, dots or how a letter is written"
SOFT_PHONE = "numbers that may be one line: they differ in extension or prefix, or in a country that is not known"


@pytest.mark.parametrize(
    ("kind", "one", "other", "decision", "key", "reason"),
    [
        ("email", "a@x.com", "a@x.com", MATCH, "email", "one value"),
        ("email", "a@x.com", "A@x.com", MATCH, "email", "one value, but for its format"),
        ("email", "a@x.com", "b@x.com", NO_MATCH, None, "two values"),
        ("email", "a+1@x.com", "a@x.com", REVIEW, "soft email", SOFT_EMAIL),
        ("email", "noreply+1@x.com", "noreply@x.com", NO_MATCH, None, "two values"),
        ("email", "info@x.com", "info@x.com", REVIEW, "email", "one value, which several people can share"),
        ("email", "test@test.com", "test@test.com", NO_MATCH, "email", "a placeholder, which is nobody's"),
        ("email", "a@x.com", "ann", NO_MATCH, None, "no key in one of them: not one @"),
        ("email", "n/a", "ann", NO_MATCH, None, "no key in one of them: empty"),
        ("phone", "+41446681800", "+41446681800", MATCH, "phone", "one value"),
        ("phone", "+41446681800", "+41446681800 x1", REVIEW, "soft phone", SOFT_PHONE),
        ("phone", "+41446681800", "12", NO_MATCH, None, "no key in one of them: not a number"),
        ("id", "1", None, NO_MATCH, None, "no key in one of them"),
        ("id", "1", "2", NO_MATCH, None, "two ids"),
        ("id", "a0", "A0", REVIEW, "id", "ids that differ in case, in zeros before them or in how a letter is written"),
        ("id", "d1", "1", NO_MATCH, None, "two ids"),
    ],
)
def test_of_two_values_the_reason_is_told(
    kind: ValueKind, one: str | None, other: str | None, decision: str, key: str | None, reason: str
) -> None:
    found = compare_values(kind, one, None, other, None)
    assert (found.decision, found.key, found.reason) == (decision, key, reason)
    turned = compare_values(kind, other, None, one, None)
    assert (turned.decision, turned.key) == (decision, key)


def test_every_kind_of_value_is_named() -> None:
    assert VALUE_KINDS == ("email", "phone", "id", "name")


def test_an_id_of_shopify_keeps_its_kind_and_a_damaged_one_its_text() -> None:
    assert read_id("gid://Shopify/Order/7") == "gid://shopify/order/7"
    assert read_id("gid://shopify/Customer/0") is None
    assert read_id("Z2lkOi8vc2hvcGlmeS9DdXN0b21lci83") == "7"


def test_a_rule_keeps_its_limits() -> None:
    assert (DEFAULT_RULE.nameless_max, DEFAULT_RULE.surnames_max, DEFAULT_RULE.givens_max) == (4, 2, 6)
    for name in ("fullname", "given_name", "full_name"):
        with pytest.raises(NotUnderstood) as refused:
            rule_of(KeyRule(keys=(name,)))
        assert str(refused.value) == (
            "A name is never a key: many people have one name, and one person's is written in many ways. Name some of "
            "id, email, phone; names speak against a link, and for a weak one."
        )


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "N/A", "na", "n.a.", "none", "null", "nil", "NaN", "undefined", "unknown", "-", "--", "---", ".", "?",
        "test", "tbd", "[object Object]", "#N/A", "#REF!", "#VALUE!", "(null)", "<null>", "(none)", "\\n",
        "not provided",
    ],
)  # fmt: skip
def test_what_stands_where_there_is_nothing_is_nothing(text: str) -> None:
    assert is_null_like(text)
    assert read_id(text) is None


def test_a_word_that_only_holds_one_for_nothing_is_one() -> None:
    assert not any(map(is_null_like, ("nora", "naa", "tests", "0")))


def test_signs_that_are_drawn_as_nothing_go_whatever_their_kind() -> None:
    assert visible("é\ufe00\ufe0f\U000e0100\U000e01efé\u2028\u2029\x85\x9f") == "éé   "
    assert visible("é\ufdff\ufe10\U000e01f0") == "é\ufdff\ufe10\U000e01f0"
    assert visible("a\x0bb\x0cc\rd\x1fm") == "a b c dm"
    assert without_entities("a&b") == "a&b"
    assert without_entities("a;b") == "a;b"


@pytest.mark.parametrize("name", ["first_name", "last_name", "company", "city"])
def test_names_are_compared_without_case(name: str) -> None:
    assert canonical_field(name, "STRASSE").key == canonical_field(name, "straße").key == "strasse"
    assert canonical_field(f"x{name}", "Lee").key == "Lee"
