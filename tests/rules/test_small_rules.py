"""The small rules: canonical values, ownership, retries, masks, and times."""

import pytest

from onewriter.errors import DatabaseBusy, NotUnderstood, ShopifyThrottled
from onewriter.records import SizeClass, iso, parse_instant, size_class, sortable_id
from onewriter.rules.identity import canonical_email, canonical_phone
from onewriter.rules.masking import mask
from onewriter.rules.ownership import Split, split
from onewriter.rules.retry import Retry, decide


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann@Example.COM ", "ann@example.com"),
        ("a\u200bnn@example.com", "ann@example.com"),
        ("ann\u00a0@ example.com", "ann@example.com"),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("strasse@straße.de", "strasse@xn--strae-oqa.de"),
        ("groß@example.com", "groß@example.com"),
        ("ann@example.com.", "ann@example.com"),
        ("n/a", None),
        ("", None),
        (None, None),
        ("ann", None),
        ("a@b@example.com", None),
        ("ann smith@example.com", None),
        ("ann@localhost", None),
        ("ann@exa mple..com", None),
    ],
)
def test_an_address_has_one_tight_form_or_none(raw: str | None, canonical: str | None) -> None:
    assert canonical_email(raw) == canonical


@pytest.mark.parametrize(
    ("raw", "region", "canonical"),
    [
        ("+442079460018", None, "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", None, "+442079460018"),
        ("020 7946 0018", None, None),
        ("020 7946 0018 ext. 12", "GB", "+442079460018;ext=12"),
        ("12", "GB", None),
        ("not a number", "GB", None),
        ("", "GB", None),
        (None, "GB", None),
        ("+" + "4" * 80, None, None),
    ],
)
def test_a_number_has_one_tight_form_and_is_never_guessed(
    raw: str | None, region: str | None, canonical: str | None
) -> None:
    assert canonical_phone(raw, region) == canonical


def test_a_field_is_written_by_its_owner_only() -> None:
    owners = {"email": "shopify", "phone": "crm"}
    assert split(("email", "phone", "note"), owners, "shopify") == Split(("email",), ("phone", "note"))


@pytest.mark.parametrize(
    ("error", "attempts", "answer"),
    [
        (DatabaseBusy("busy"), 7, Retry(in_s=5.0, counts=False)),
        (ShopifyThrottled("wait", 17.5), 0, Retry(in_s=17.5, counts=False)),
        (NotUnderstood("what"), 0, None),
        (ValueError(), 0, Retry(in_s=1.0, counts=True)),
        (ValueError(), 6, Retry(in_s=64.0, counts=True)),
        (ValueError(), 7, None),
    ],
)
def test_a_retry_is_decided_by_the_kind_of_error(error: Exception, attempts: int, answer: Retry | None) -> None:
    assert decide(error, attempts) == answer


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("email", "ann@example.com", "a•••@e•••"),
        ("phone", "+447700900111", "•••11"),
        ("first_name", "Ann", "A•••"),
        ("note", None, None),
        ("state", "enabled", "enabled"),
        ("tags", ["vip", "tea"], "2 entries"),
        ("addresses", [{"city": "Ottawa"}], "1 entry"),
        ("email_consent", {"state": "subscribed", "at": 5}, {"state": "subscribed"}),
    ],
)
def test_a_masked_value_tells_no_more_than_one_knows(field: str, value: object, shown: object) -> None:
    assert mask(field, value) == shown


@pytest.mark.req("K9")
@pytest.mark.parametrize(
    ("customers", "expected"),
    [
        (0, SizeClass.SMALL),
        (999, SizeClass.SMALL),
        (1_000, SizeClass.MEDIUM),
        (10_000, SizeClass.MEDIUM),
        (10_001, SizeClass.LARGE),
    ],
)
def test_the_size_classes_have_the_boundaries_that_merchants_know(customers: int, expected: SizeClass) -> None:
    assert size_class(customers) is expected


def test_a_time_is_the_same_instant_in_any_zone() -> None:
    assert parse_instant("2021-12-31T19:00:00-05:00") == parse_instant("2022-01-01T00:00:00Z") == 1640995200000000
    assert iso(1640995200999999) == "2022-01-01T00:00:00Z"
    assert iso(None) is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        parse_instant("2021-12-31T19:00:00")


def test_later_ids_sort_later_and_are_uuids_of_version_7() -> None:
    first, second = sortable_id(1_700_000_000_000_000, b"\xff" * 10), sortable_id(1_700_000_000_001_000, b"\x00" * 10)
    assert first < second
    assert (first[6] >> 4, first[8] >> 6) == (7, 2)
    assert len(first) == 16
