"""Two records: which key links them, and what speaks against it. The same whichever comes first."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules.identity import DEFAULT_RULE, Decision, IdentityRule, Person, Prepared, Shared, decide, prepare
from onewriter.rules.identity.decide import keys_of, weakest
from onewriter.rules.identity.records import birth_days

MATCH, REVIEW, NO_MATCH = "match", "review", "no_match"
MAIL, CALL = "ann@example.com", "+41446681800"
DOB = "different dates of birth"
ACCOUNTS = "two live accounts of one system"
APART = "a person said that they are not the same"
REDACTED = "one of them was redacted"
ANN = {"first_name": "Ann", "last_name": "Lee"}
BOB = {"first_name": "Bob", "last_name": "Lee"}
RAY = {"first_name": "Bob", "last_name": "Ray"}


def decided(
    one: dict[str, Any], other: dict[str, Any], rule: IdentityRule = DEFAULT_RULE, shared: Shared | None = None
) -> Decision:
    """The decision of two records, both ways round."""
    first, second = prepare(Person(record_id="1", **one)), prepare(Person(record_id="2", **other))
    shared = shared or Shared()
    found = decide(first, second, rule, shared=shared)
    assert decide(second, first, rule, shared=shared) == found
    return found


def shopify(number: str | None, **given: Any) -> dict[str, Any]:
    return {"system": "shopify", "shopify_id": number, **given}


LINKS: list[tuple[dict[str, Any], dict[str, Any], str, str | None, str]] = [
    # An id links whatever the names are.
    (shopify("1", **ANN), {"system": "crm", "shopify_id": "1.0", **RAY}, MATCH, "id", "one id"),
    (shopify("1"), {"system": "crm", "system_id": "1"}, NO_MATCH, None, "no key"),
    ({"system": "crm", "system_id": "7"}, {"system": "CRM ", "system_id": "7"}, MATCH, "id", "one id"),
    ({"system": "shopify", "system_id": "7"}, shopify("7"), MATCH, "id", "one id"),
    ({"system_id": "7"}, {"system_id": "7"}, NO_MATCH, None, "no key"),
    (shopify("1", email=MAIL), shopify("1", email=MAIL, **RAY), MATCH, "id", "one id"),
    # An address links unless the names conflict.
    ({"email": MAIL}, {"email": "mailto:Ann@Example.com"}, MATCH, "email", "nothing against it"),
    ({"email": MAIL, **ANN}, {"email": MAIL, **ANN}, MATCH, "email", "nothing against it"),
    ({"email": MAIL, **ANN}, {"email": MAIL, "first_name": "Ann", "last_name": "Ray"},
     MATCH, "email", "may have changed"),
    ({"email": MAIL, **ANN}, {"email": MAIL, **BOB}, REVIEW, "email", "a couple or a family"),
    ({"email": MAIL, **ANN}, {"email": MAIL, **RAY}, REVIEW, "email", "the names conflict"),
    (shopify("1", email=MAIL, **ANN), shopify("2", email=MAIL, **RAY), NO_MATCH, "email", "the ids differ"),
    (shopify("1", email=MAIL, **ANN), {"system": "crm", "system_id": "2", "email": MAIL, **RAY},
     REVIEW, "email", "conflict"),
    ({"email": MAIL, "last_name": "Lee"}, {"email": MAIL, "last_name": "Ray"}, REVIEW, "email", "two surnames"),
    ({"email": MAIL, **ANN}, {"email": MAIL, "first_name": "A.", "last_name": "Ray"},
     REVIEW, "email", "two surnames"),
    ({"email": "info@example.com", **ANN}, {"email": "info@example.com", **ANN},
     REVIEW, "email", "several people read"),
    ({"email": "noreply@example.com", **ANN}, {"email": "noreply@example.com", **ANN}, NO_MATCH, None, "no key"),
    ({"email": "ida.lee@example.com"}, {"email": "ida.lee@example.com", **ANN},
     REVIEW, "email", "than the record has"),
    ({"email": "ida.lee@example.com", **ANN}, {"email": "ida.lee@example.com", **ANN},
     MATCH, "email", "nothing against it"),
    ({"email": "ann.ida@example.com"}, {"email": "ann.ida@example.com", **ANN}, MATCH, "email", "nothing against it"),
    ({"email": "lee+ida@example.com"}, {"email": "lee+ida@example.com", **ANN}, MATCH, "email", "nothing against it"),
    ({"email": "lea.paul@x.com"}, {"email": "lea.paul@x.com", "first_name": "Lea", "last_name": "Paul"},
     MATCH, "email", ""),
    ({"email": "shopper@x.com"}, {"email": "shopper@x.com", **ANN}, MATCH, "email", "nothing against it"),
    # A soft address needs names that agree.
    ({"email": "a.nn@gmail.com", **ANN}, {"email": "ann+x@gmail.com", **ANN},
     MATCH, "soft email", "both names agree"),
    ({"email": "a.nn@gmail.com", **ANN}, {"email": "ann@gmail.com"}, REVIEW, "soft email", "the names do not say so"),
    ({"email": "a.nn@gmail.com", **ANN}, {"email": "ann@gmail.com", **BOB}, REVIEW, "soft email", "do not say so"),
    ({"email": "sales+a@x.com", **ANN}, {"email": "sales@x.com", **ANN}, REVIEW, "soft email", "in two forms"),
    # A number needs both names.
    ({"phone": CALL, **ANN}, {"phone": "044 668 18 00", "country": "CH", **ANN}, MATCH, "phone", "both names agree"),
    ({"phone": CALL, **ANN}, {"phone": CALL, "first_name": "A.", "last_name": "Lee"},
     MATCH, "phone", "both names agree"),
    ({"phone": CALL, **ANN}, {"phone": CALL, "first_name": "A.", "last_name": "Leeh"}, NO_MATCH, "phone", "conflict"),
    ({"phone": CALL, "first_name": "Ann", "last_name": "Smith"},
     {"phone": CALL, "first_name": "A.", "last_name": "Smyth"},
     REVIEW, "phone", "too loosely"),
    ({"phone": CALL, **ANN}, {"phone": CALL}, REVIEW, "phone", "a name is missing"),
    ({"phone": CALL, **ANN}, {"phone": CALL, "first_name": "Ann"}, REVIEW, "phone", "a name is missing"),
    ({"phone": CALL, **ANN}, {"phone": CALL, **BOB}, NO_MATCH, "phone", "the names conflict"),
    ({"phone": CALL, **ANN}, {"phone": CALL, "first_name": "Ann", "last_name": "Ray"}, NO_MATCH, "phone", "conflict"),
    ({"phone": CALL, "first_name": "John", "last_name": "Lee"},
     {"phone": CALL, "first_name": "John", "last_name": "Lee Jr."}, REVIEW, "phone", "too loosely"),
    ({"phone": CALL, "first_name": "Pierre", "last_name": "Lee"},
     {"phone": CALL, "first_name": "Jean-Pierre", "last_name": "Lee"}, REVIEW, "phone", "too loosely"),
    ({"phone": CALL, "first_name": "Mika", "last_name": "Lee"},
     {"phone": CALL, "first_name": "Nika", "last_name": "Lee"}, REVIEW, "phone", "too loosely"),
    ({"email": MAIL, "first_name": "José", "last_name": "Lee"},
     {"email": MAIL, "first_name": "María José", "last_name": "Lee"}, REVIEW, "email", "two of a family"),
    ({"email": MAIL, "first_name": "Amit", "last_name": "Lee"},
     {"email": MAIL, "first_name": "Amt", "last_name": "Lee"}, MATCH, "email", "nothing against it"),
    ({"phone": "+18003569377", **ANN}, {"phone": "+18003569377", **ANN}, REVIEW, "phone", "not in use"),
    ({"phone": "+18003569377", **ANN}, {"phone": "+18003569377", **BOB}, NO_MATCH, "phone", "conflict"),
    ({"phone": "0000000000", "region": "US", **ANN}, {"phone": "0000000000", "region": "US", **ANN},
     NO_MATCH, None, "no key"),
    ({"phone": CALL, "first_name": "N.", "last_name": "Lee", "email": "nina@x.com"},
     {"phone": CALL, "first_name": "Nora", "last_name": "Lee"}, REVIEW, "phone", "the names agree loosely"),
    # A number in two forms is always for a person.
    ({"phone": f"{CALL} x1", **ANN}, {"phone": CALL, **ANN}, REVIEW, "soft phone", "in a prefix"),
    ({"phone": f"{CALL} x1", **ANN}, {"phone": CALL}, REVIEW, "soft phone", "in a prefix"),
    ({"phone": f"{CALL} x1", **ANN}, {"phone": CALL, **BOB}, NO_MATCH, "soft phone", "conflict"),
    # The strongest key that links decides.
    ({"email": MAIL, "phone": CALL, **ANN}, {"email": MAIL, "phone": CALL, **ANN}, MATCH, "email", ""),
    ({"email": "a+x@x.com", "phone": CALL, **ANN}, {"email": "a+y@x.com", "phone": CALL, **ANN},
     MATCH, "soft email", ""),
    ({"email": "info@x.com", "phone": CALL, **ANN}, {"email": "info@x.com", "phone": CALL, **ANN},
     MATCH, "phone", ""),
    ({"email": "info@x.com", "phone": CALL, **ANN}, {"email": "info@x.com", "phone": CALL, **BOB},
     REVIEW, "email", ""),
    ({**ANN, "dob": "1980-02-01", "zip": "8000"}, {**ANN, "dob": "1980-02-01", "zip": "8000"},
     NO_MATCH, None, "no key"),
]  # fmt: skip


@pytest.mark.req("M43", "M65")
@pytest.mark.parametrize(("one", "other", "decision", "key", "reason"), LINKS)
def test_each_key_links_as_far_as_the_names_allow(
    one: dict[str, Any], other: dict[str, Any], decision: str, key: str | None, reason: str
) -> None:
    found = decided(one, other)
    assert (found.decision, found.key) == (decision, key)
    assert found.reason.endswith(reason)


@pytest.mark.req("M73")
def test_a_veto_stands_above_every_key() -> None:
    same = {"email": MAIL, "phone": CALL, **ANN}
    born = decided({**same, "dob": "1980-02-01"}, {**same, "dob": "1981-02-01"})
    assert (born.decision, born.key, born.vetoes) == (NO_MATCH, "email", (DOB,))
    assert born.reason == f"one address and nothing against it; but {DOB}"
    redacted = decided(same, {**same, "redacted": True})
    assert (redacted.decision, redacted.vetoes) == (NO_MATCH, (REDACTED,))
    apart = decided(same, same, shared=Shared(apart=frozenset({frozenset({"1", "2"})})))
    assert (apart.decision, apart.vetoes) == (NO_MATCH, (APART,))
    assert decided(same, same, shared=Shared(apart=frozenset({frozenset({"1", "3"})}))).decision == MATCH
    accounts = decided(shopify("1", account="account", **same), shopify("2", account="Account ", **same))
    assert (accounts.decision, accounts.vetoes) == (NO_MATCH, (ACCOUNTS,))
    nothing = decided({**ANN, "redacted": True}, ANN)
    assert (nothing.decision, nothing.key, nothing.vetoes) == (NO_MATCH, None, (REDACTED,))
    conflict = decided({"phone": CALL, "dob": "1980-02-01", **ANN}, {"phone": CALL, "dob": "1981-02-01", **BOB})
    assert conflict.vetoes == (DOB, "names")


@pytest.mark.parametrize(
    ("one", "other", "decision"),
    [
        (shopify("1", account="account"), shopify("2", account="guest"), MATCH),
        (shopify("1", live=True), shopify("2", live=True), NO_MATCH),
        (shopify("1", account="account", live=False), shopify("2", account="account"), MATCH),
        (shopify("1", account="account"), shopify("1", account="account"), MATCH),
        (shopify("1", account="account"), {"system": "crm", "system_id": "2", "account": "account"}, MATCH),
        (shopify(None, account="account"), shopify(None, account="account"), MATCH),
    ],
)
def test_only_two_live_accounts_of_one_system_are_two_people(
    one: dict[str, Any], other: dict[str, Any], decision: str
) -> None:
    assert decided({"email": MAIL, **one}, {"email": MAIL, **other}).decision == decision


def test_one_id_and_two_dates_of_birth_are_for_a_person() -> None:
    found = decided(shopify("1", dob="1980-02-01"), shopify("1", dob="1981-02-01"))
    assert (found.decision, found.key, found.vetoes) == (REVIEW, "id", (DOB,))
    assert found.reason == "one id, and two dates of birth"
    gone = decided(shopify("1", dob="1980-02-01"), shopify("1", dob="1981-02-01", redacted=True))
    assert (gone.decision, gone.vetoes) == (NO_MATCH, (REDACTED, DOB))


@pytest.mark.req("M7", "M73")
def test_a_key_that_too_many_share_links_nobody_and_says_so() -> None:
    same = {"email": MAIL, "phone": CALL, **ANN}
    shared = Shared(refused={("email", MAIL): "3 surnames", ("soft email", MAIL): "3 surnames"})
    assert decided(same, same, shared=shared).key == "phone"
    shared = Shared(refused={**shared.refused, ("phone", CALL): "57 records without a name"})
    found = decided(same, same, shared=shared)
    assert (found.decision, found.key) == (NO_MATCH, "email")
    assert found.reason == "the email is shared by too many: 3 surnames"


def test_of_a_contested_key_only_a_whole_name_says_whose_it_is() -> None:
    shared = Shared(contested=frozenset({("email", MAIL), ("phone", CALL), ("soft email", "ann@gmail.com")}))
    near = {"first_name": "A.", "last_name": "Lee"}
    soft = ({"email": "a.nn@gmail.com"}, {"email": "ann@gmail.com"})
    assert decided({"email": MAIL, **ANN}, {"email": MAIL}, shared=shared).decision == REVIEW
    unknown = decided({"email": MAIL, **ANN}, {"email": MAIL}, shared=shared)
    assert unknown.reason == "an address that two people share, and the names do not say which of them"
    assert decided({"email": MAIL, **ANN}, {"email": MAIL, **near}, shared=shared).decision == MATCH
    assert decided({"phone": CALL, **ANN}, {"phone": CALL, **near}, shared=shared).decision == REVIEW
    assert decided({"phone": CALL, **ANN}, {"phone": CALL, **ANN}, shared=shared).decision == MATCH
    either = decided({**soft[0], **ANN}, {**soft[1], **near}, shared=shared)
    assert (either.decision, either.reason) == (REVIEW, "addresses that may be one mailbox, which two people share")
    assert decided({**soft[0], **ANN}, {**soft[1], **ANN}, shared=shared).decision == MATCH


@pytest.mark.req("M74")
def test_the_rule_says_which_keys_there_are_and_in_which_order() -> None:
    same = {"email": MAIL, "phone": CALL, **ANN}
    assert decided(same, same, IdentityRule(keys=("phone", "email"))).key == "phone"
    assert decided(same, same, IdentityRule(keys=("id",))).key is None
    assert decided(shopify("1"), shopify("1"), IdentityRule(keys=("email", "phone"))).key is None
    assert decided(same, same, IdentityRule(blocked=frozenset({MAIL}))).key == "phone"
    assert decided(same, same, IdentityRule(blocked=frozenset({MAIL, CALL}))).key is None
    soft = ({"email": "a.nn@gmail.com", **ANN}, {"email": "ann@gmail.com", **ANN})
    assert decided(*soft, IdentityRule(soft_email=False)).decision == REVIEW


def test_the_keys_of_a_record_are_told() -> None:
    record = prepare(Person(record_id="1", system="crm", system_id="7", shopify_id="1", email="a+x@x.com", phone=CALL))
    assert list(keys_of(record, DEFAULT_RULE)) == [
        ("id", "crm:7"), ("id", "shopify:1"), ("email", "a+x@x.com"), ("soft email", "a@x.com"), ("phone", CALL),
        ("soft phone", CALL),
    ]  # fmt: skip
    guessed = prepare(Person(record_id="1", phone="919812345678"))
    assert list(keys_of(guessed, DEFAULT_RULE)) == [("soft phone", "+919812345678")]


@pytest.mark.parametrize(
    ("raw", "days"),
    [
        ("1980-02-01", {(1980, 2, 1)}), ("1980/2/1", {(1980, 2, 1)}), ("1980.02.01", {(1980, 2, 1)}),
        ("1980-02-01T00:00:00Z", {(1980, 2, 1)}), ("1980-02-01 00:00", {(1980, 2, 1)}), ("19800201", {(1980, 2, 1)}),
        ("1.2.1980", {(1980, 2, 1)}), ("01/02/1980", {(1980, 2, 1), (1980, 1, 2)}), ("13/02/1980", {(1980, 2, 13)}),
        ("02-13-1980", {(1980, 2, 13)}), ("1980年2月1日", {(1980, 2, 1)}), ("1/2.1980", set()), ("1900-01-01", set()),
        ("01/01/1970", set()), ("1980-13-01", set()), ("1980-02-32", set()), ("1980-00-01", set()),
        ("1980-12-31", {(1980, 12, 31)}),
        ("1980-01-00", set()), ("yesterday", set()), (" 1980-02-01 ", {(1980, 2, 1)}), (" 19800201", {(1980, 2, 1)}),
    ],
)  # fmt: skip
def test_a_date_of_birth_is_every_day_that_it_can_mean(raw: str, days: set[tuple[int, int, int]]) -> None:
    assert birth_days(raw) == days


@pytest.mark.parametrize(
    "raw", ["1900-01-01", "1970-01-01", "1901-01-01", "1800-01-01", "9999-12-31", "1899-12-30", "2000-01-01"]
)
def test_what_a_system_writes_where_there_is_no_date_is_none(raw: str) -> None:
    assert birth_days(raw) == birth_days(raw.replace("-", "")) == set()
    year, month, day = map(int, raw.split("-"))
    for near in (f"{year - 3:04}-{month:02}-{day:02}", f"{year:04}-{month:02}-{day - 1 or 2:02}"):
        assert len(birth_days(near)) == 1


@pytest.mark.parametrize("account", ["account", "Enabled", "registered", "active", "member", "login", "user"])
def test_every_word_for_an_account_is_known(account: str) -> None:
    assert prepare(Person(record_id="1", account=account)).is_live
    assert not prepare(Person(record_id="1", account=f"{account}s")).is_live


def test_a_record_of_which_nothing_is_known_is_neither_live_nor_redacted() -> None:
    made = Prepared("1")
    assert (made.is_live, made.redacted) == (False, False)
    read = prepare(Person(record_id="1", system="crm", system_id="7", shopify_id="1"))
    assert read.ids == ("crm:7", "shopify:1")
    assert not read.is_live


def test_an_id_may_hold_the_sign_that_parts_it_from_its_system() -> None:
    own = {"system": "crm", "account": "account", "email": MAIL}
    assert decided({**own, "system_id": "a:1"}, {**own, "system_id": "a:2"}).vetoes == (ACCOUNTS,)
    assert decided({**own, "system_id": "a:1"}, {**own, "system_id": "a:1"}).key == "id"


def test_a_conflict_of_names_is_among_the_vetoes() -> None:
    assert decided({"phone": CALL, **ANN}, {"phone": CALL, **BOB}).vetoes == ("names",)
    assert decided({"phone": f"{CALL} x1", **ANN}, {"phone": CALL, **BOB}).vetoes == ("names",)
    ids = (shopify("1", email=MAIL, **ANN), shopify("2", email=MAIL, **RAY))
    assert decided(*ids).vetoes == ("names",)


def test_dates_that_may_be_one_day_are_no_veto() -> None:
    assert decided({"email": MAIL, "dob": "01/02/1980"}, {"email": MAIL, "dob": "1980-01-02"}).decision == MATCH
    assert decided({"email": MAIL, "dob": "1900-01-01"}, {"email": MAIL, "dob": "1980-01-02"}).decision == MATCH


def test_the_country_of_a_number_is_the_nearest_that_is_known() -> None:
    national: dict[str, Any] = {"record_id": "1", "phone": "044 668 18 00"}
    assert prepare(Person(**national, country="CH", region="DE"), "GB").phone.tight == CALL
    assert prepare(Person(**national, country="nowhere", region="CH"), "GB").phone.tight == CALL
    assert prepare(Person(**national), "CH").phone.tight == CALL
    assert prepare(Person(**national)).phone.tight is None


def test_the_weakest_strength_counts() -> None:
    assert weakest("strong", "strong") == "strong"
    assert weakest("strong", "weak") == "weak"
    assert weakest("blocked", "weak") == "blocked"


VALUES: dict[str, tuple[str | None, ...]] = {
    "system": ("shopify", "crm", None), "shopify_id": ("1", "2", None), "account": ("account", None),
    "email": (MAIL, "a.nn@gmail.com", "ann@gmail.com", "info@x.com", None), "phone": (CALL, f"{CALL} x1", None),
    "first_name": ("Ann", "A.", "Bob", None), "last_name": ("Lee", "Ray", None),
    "dob": ("1980-02-01", "1981-02-01", None),
}  # fmt: skip
RECORDS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})


@given(RECORDS, RECORDS)
@settings(max_examples=50)
def test_which_record_comes_first_does_not_matter(one: dict[str, Any], other: dict[str, Any]) -> None:
    found = decided(one, other)
    assert (found.key is None) <= (found.decision == NO_MATCH)


def test_what_is_blocked_never_matches() -> None:
    for email, phone in itertools.product(("noreply@x.com", "test@test.com"), ("0000000000", "1234567890")):
        same = {"email": email, "phone": phone, "country": "US", **ANN}
        assert decided(same, same).decision == NO_MATCH
