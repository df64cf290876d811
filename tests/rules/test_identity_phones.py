"""Phone numbers: one tight form however somebody wrote it, a soft one that is worth a look, and never a guess."""

import random

import phonenumbers
import pytest

from onewriter.rules.identity import canonical_phone, compare_values, phone_forms, read_phone, region_of
from onewriter.rules.identity.numbering import is_the_same
from onewriter.rules.identity.strength import is_placeholder_number

PHONE_LENGTH_MAX, RAW_MAX = 64, 500
MATCH, REVIEW, NO_MATCH = "match", "review", "no_match"

SAME = [
    ("+442079460018", None, "020 7946 0018", "GB"),
    ("(415) 555-2671", "US", "+14155552671", None),
    ("415.555.2671", "US", "+1-415-555-2671", None),
    ("044 668 18 00", "Switzerland", "+41 (0)44 668 18 00", None),
    ("020 7946 0018", "uk", "+44 (020) 7946 0018", None),
    ("+52 1 55 1234 5678", None, "55 1234 5678", "MX"),
    ("044 55 1234 5678", "MX", "+525512345678", None),
    ("045 55 1234 5678", "MX", "+525512345678", None),
    ("01 55 1234 5678", "MX", "+525512345678", None),
    ("1 55 1234 5678", "MX", "+525512345678", None),
    ("5215512345678", "MX", "+525512345678", None),
    ("+52 044 55 1234 5678", None, "+525512345678", None),
    ("00 44 20 7946 0018", "US", "+442079460018", None),
    ("0061 2 9374 4000", "AU", "+61293744000", None),
    ("011 44 20 7946 0018", "GB", "+442079460018", None),
    ("0044 20 7946 0018", None, "+442079460018", None),
    ("919812345678", "US", "+919812345678", None),
    ("919812345678", "IN", "+91 98123 45678", None),
    ("491701234567", "DE", "0170 1234567", "DE"),
    ("+0041446681800", None, "+41446681800", None),
    ("01 44 55 66 77 poste 12", "FR", "+33144556677;ext=12", None),
    ("030 123456 Durchwahl 12", "DE", "+49 30 123456 ext. 12", None),
    ("030 123456, DW 12", "DE", "+4930123456 Nst. 12", None),
    ("+7 (495) 123-45-67 доб. 12", None, "+74951234567;ext=12", None),
    ("+14155552671#12", None, "+14155552671 extension 12", None),
    ("+14155552671,,12#", None, "+14155552671 (x12)", None),
    ("03 1234 5678 内線12", "JP", "+81312345678;ext=12", None),
    ("14155552671.0", "US", "+14155552671", None),
    ("'+14155552671", None, "+14155552671", None),
    ('="+14155552671"', None, "+14155552671", None),
    ("=+14155552671", None, "+14155552671", None),
    ("011 15-2345-6789", "AR", "+54 9 11 2345 6789", None),
    ("021 98765 4321", "BR", "+55 21 98765-4321", None),
    ("0 15 21 98765 4321", "BR", "+55 21 98765-4321", None),
    ("tel:+1-415-555-2671;ext=12", None, "+14155552671 x12", None),
    ("tel:555-2671;phone-context=+1415", None, "+14155552671", None),
    ("tel:%2B14155552671;isub=1", None, "+14155552671", None),
    ("whatsapp:+14155552671", None, "+14155552671", None),
    ("Tel.: +41 44 668 18 00", None, "+41446681800", None),
    ("☎ 044 668 18 00", "CH", "+41446681800", None),
    ("＋４１ ４４ ６６８ １８ ００", None, "+41446681800", None),
    ("٠٤٤ ٦٦٨ ١٨ ٠٠", "CH", "+41446681800", None),
    ("+41\u200b446681800\u00a0", None, "+41446681800", None),
    ("&#43;41446681800", None, "+41446681800", None),
    ("8 495 123-45-67", "RU", "+7 495 123 45 67", None),
    ("204 555 2671", "CA", "+1 204 555 2671", "US"),
    ("030/1234567", "DE", "+49301234567", None),
    ("+1 415 555 CALL", None, "+14155552255", None),
    ("+1-415-555-2671 (mobile)", None, "+14155552671", None),
    ("079 123 45 67 (Mama)", "CH", "+41791234567", None),
    ("+84 0912 345 678", None, "0912345678", "VN"),
]  # fmt: skip


@pytest.mark.req("M11", "M67")
@pytest.mark.parametrize(("one", "country", "other", "region"), SAME)
def test_what_differs_in_format_is_one_number(one: str, country: str | None, other: str, region: str | None) -> None:
    found = compare_values("phone", one, country, other, region)
    assert (found.decision, found.key) == (MATCH, "phone")
    assert found.repairs
    assert compare_values("phone", other, region, one, country).decision == MATCH
    assert canonical_phone(one, country) == read_phone(one, country).tight == canonical_phone(other, region)


OTHER = [
    ("020 7946 0018", None, "+442079460018", None, NO_MATCH),
    ("020 7946 0018", None, "020 7946 0018", None, NO_MATCH),
    ("044 668 18 00", "CH", "044 668 18 00", "DE", NO_MATCH),
    ("044 668 18 00", "nowhere", "+41446681800", None, NO_MATCH),
    ("919812345678", None, "+919812345678", None, REVIEW),
    ("5215512345678", None, "+525512345678", None, REVIEW),
    ("+1 415 555 2671 x12", None, "+1 415 555 2671", None, REVIEW),
    ("+1 415 555 2671 x12", None, "+1 415 555 2671 x13", None, REVIEW),
    ("+54 9 11 2345 6789", None, "+54 11 2345 6789", None, REVIEW),
    ("+55 11 98765-4321", None, "+55 11 8765-4321", None, REVIEW),
    ("+39 06 6982 1234", None, "+39 6 6982 1234", None, REVIEW),
    ("+39 347 1234567", None, "+39 0347 1234567", None, REVIEW),
    ("+229 01 97 12 34 56", None, "+229 97 12 34 56", None, REVIEW),
    ("+229 21 30 00 00", None, "+229 01 21 30 00 01", None, NO_MATCH),
    ("+4122901234567", None, "+412292345670", None, NO_MATCH),
    ("1-800-FLOWERS", "US", "+1 800 356 9377", None, REVIEW),
    ("0900 123 456", "CH", "+41900123456", None, REVIEW),
    ("+1 555 123 4567", None, "+1 555 123 4567", None, REVIEW),
    ("555-2671", "US", "555-2671", "US", REVIEW),
    ("1.4155552671E+10", "US", "+14155552671", None, REVIEW),
    ("1,415555267E+10", "US", "+1 415 555 2670", None, REVIEW),
    ("1.41E+10", "US", "1.41E+10", "US", NO_MATCH),
    ("1.41E+10", "US", "+14100000000", None, NO_MATCH),
    ("+14155552671", None, "+4155552671", None, NO_MATCH),
    ("+14155552671", None, "+14155552672", None, NO_MATCH),
    ("+1 415 555 2671", None, "+44 415 555 2671", None, NO_MATCH),
    ("+14155552671 / +14155552672", None, "+14155552671", None, NO_MATCH),
    ("0170/1234567 oder 0171/7654321", "DE", "+491701234567", None, NO_MATCH),
    ("O79 123 45 67", "CH", "+41791234567", None, NO_MATCH),
    ("(+41) 79 123 45 67", None, "+41791234567", None, MATCH),
    ("+447000000000", None, "+447000000000", None, NO_MATCH),
    ("+41 00 000 00 00", None, "+41000000000", None, NO_MATCH),
    ("0000000000", "US", "0000000000", "US", NO_MATCH),
    ("1234567890", "US", "1234567890", "US", NO_MATCH),
    ("9999999999", "IN", "+919999999999", None, NO_MATCH),
    ("+44 1234 567890", None, "+441234567890", None, NO_MATCH),
    ("987654321", "PT", "987654321", "PT", NO_MATCH),
    ("n/a", "US", "n/a", "US", NO_MATCH),
]


@pytest.mark.req("M43")
@pytest.mark.parametrize(("one", "country", "other", "region", "decision"), OTHER)
def test_what_is_not_surely_one_number_is_never_a_match(
    one: str, country: str | None, other: str, region: str | None, decision: str
) -> None:
    assert compare_values("phone", one, country, other, region).decision == decision
    assert compare_values("phone", other, region, one, country).decision == decision


@pytest.mark.parametrize(
    ("raw", "region", "problem"),
    [
        (None, "US", "empty"), ("", "US", "empty"), ("unknown", "US", "empty"), ("+", "US", "not a number"),
        ("Mia", "US", "not a number"), ("12", "GB", "not a number"), ("call me at work", None, "not a number"),
        ("ring 5 times", "GB", "not a number"), ("020 7946 0018", None, "no country"), ("1234", None, "not a number"),
        ("1.41E+10", "US", "shortened by a spreadsheet"), ("+14155552671 +14155552672", "US", "two numbers"),
        ("044 668 18 00; 044 668 18 01", "CH", "two numbers"), ("000000", None, "a placeholder"),
        ("4" * (PHONE_LENGTH_MAX + 1), "US", "too long"), ("4" * (RAW_MAX + 1), "US", "too long"),
    ],
)  # fmt: skip
def test_where_there_is_no_key_the_reason_is_told(raw: str | None, region: str | None, problem: str) -> None:
    found = read_phone(raw, region)
    assert (found.tight, found.problem) == (None, problem)


def test_the_longest_that_is_read_is_read() -> None:
    number = "+41446681800"
    assert canonical_phone(number + "\u200b" * (RAW_MAX - len(number)), None) == number
    assert canonical_phone(number + "\u200b" * (RAW_MAX - len(number)) + "\u200b", None) is None
    spaced = "+41" + " " * (PHONE_LENGTH_MAX - len(number)) + "446681800"
    assert canonical_phone(spaced, None) == number
    assert canonical_phone(f"{spaced[:3]} {spaced[3:]}", None) is None


def test_a_number_in_its_standard_form_stays_whether_or_not_anybody_has_it() -> None:
    for number in ("+99912345678", "+10000000001", "+15551234567", "+22997123456"):
        assert canonical_phone(number, None) == canonical_phone(number, "US") == number
        assert read_phone(number, None).strength == "weak"
    assert canonical_phone("+999 12-34 56 78", None) == "+99912345678"
    assert canonical_phone("+123456", None) is None


def test_a_second_zero_is_taken_off_a_number_in_its_standard_form() -> None:
    assert canonical_phone("+4402079460018", None) == "+442079460018"
    assert canonical_phone("+390669821234", None) == "+390669821234"


def test_every_repair_is_named() -> None:
    assert read_phone("+41446681800", None).repairs == ()
    assert read_phone("044 668 18 00", "CH").repairs == ("format",)
    assert read_phone("'+41446681800", None).repairs == ("spreadsheet", "format")
    assert read_phone("0041446681800", "US").repairs == ("prefix",)
    assert read_phone("41446681800", "US").repairs == ("plus",)
    assert read_phone("044 55 1234 5678", "MX").repairs == ("prefix",)
    assert read_phone("+41446681800 office", None).repairs == ("words",)
    assert read_phone("1 415 555 CALL", "US").repairs == ("letters",)
    assert read_phone(" n/a", None).repairs == ("format",)
    assert read_phone(" 12", "GB").repairs == ("format",)
    assert read_phone("12345", None).problem == "no country"
    assert read_phone("1.41E+10", None).repairs == ("spreadsheet",)


def test_numbers_that_are_known_to_be_settled_are_what_the_library_says() -> None:
    chance = random.Random(7)
    for start, digits in (("+1", 10), ("+44", 10), ("+33", 9), ("+41", 9), ("+61", 9)):
        for _ in range(200):
            number = start + str(chance.randrange(2 * 10 ** (digits - 1), 10**digits))
            found = phonenumbers.parse(number, None)
            kept = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
            assert canonical_phone(number, "DE") == number == kept or not phonenumbers.is_possible_number(found)


def test_whoever_looks_may_mean_several_numbers() -> None:
    assert "+447700900111" in phone_forms("07700 900111 x5", "GB")
    assert phone_forms("0044 20 7946 0018", "US") == ("+442079460018",)
    assert phone_forms("41 44 668 18 00", None) == ("+41446681800",)
    assert phone_forms("011 41 44 668 18 00", "IT") == ("+41446681800",)
    assert phone_forms("+41 44 668 18 00 x5", None) == ("+41446681800;ext=5", "+41446681800")
    assert phone_forms("call 41446681800", None) == ()
    spaced = "+41" + " " * (PHONE_LENGTH_MAX - 12) + "446681800"
    assert phone_forms(spaced, None) == ("+41446681800",)
    assert phone_forms(f"{spaced[:3]} {spaced[3:]}", None) == ()
    assert phone_forms("1" * (PHONE_LENGTH_MAX + 1), "US") == ()


@pytest.mark.parametrize(
    ("digits", "placeholder"),
    [
        ("0000000000", True), ("5555555", True), ("1234567890", True), ("0123456789", True), ("9876543210", True),
        ("2345678", True), ("000", True), ("", False), ("5", False), ("123456", False), ("121212", False),
        ("1234568", False),
        ("7777771", False), ("12345678901234567890", False), ("0", True), ("7000000000", True), ("4466800000", False),
    ],
)  # fmt: skip
def test_digits_that_nobody_has_are_known(digits: str, placeholder: bool) -> None:
    assert is_placeholder_number(digits) is placeholder


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("CH", "CH"), (" ch ", "CH"), ("UK", "GB"), ("EL", "GR"), ("USA", "US"), ("Deutschland", "DE"),
        ("schweiz", "CH"),
        ("United States", "US"), ("España", "ES"), ("England", "GB"), ("XX", None), ("", None), (None, None),
        (" " * 3, None), ("CH" + " " * 58, "CH"), ("CH" + " " * 59, None), ("Atlantis", None),
    ],
)  # fmt: skip
def test_countries_are_known_by_codes_and_names(written: str | None, code: str | None) -> None:
    assert region_of(written) == code


def test_the_common_codes_of_three_letters_are_known() -> None:
    codes = [
        "USA",
        "US",
        "GBR",
        "GB",
        "DEU",
        "DE",
        "FRA",
        "FR",
        "ITA",
        "IT",
        "ESP",
        "ES",
        "CHE",
        "CH",
        "AUT",
        "AT",
        "NLD",
        "NL",
        "BEL",
        "BE",
        "CAN",
        "CA",
        "AUS",
        "AU",
        "NZL",
        "NZ",
        "MEX",
        "MX",
        "BRA",
        "BR",
        "ARG",
        "AR",
        "IND",
        "IN",
        "CHN",
        "CN",
        "JPN",
        "JP",
        "KOR",
        "KR",
        "SWE",
        "SE",
        "NOR",
        "NO",
        "DNK",
        "DK",
        "FIN",
        "FI",
        "POL",
        "PL",
        "PRT",
        "PT",
        "IRL",
        "IE",
        "CZE",
        "CZ",
        "HUN",
        "HU",
        "ROU",
        "RO",
        "GRC",
        "GR",
        "TUR",
        "TR",
        "RUS",
        "RU",
        "UKR",
        "UA",
        "ZAF",
        "ZA",
        "ISR",
        "IL",
        "ARE",
        "AE",
        "SAU",
        "SA",
        "SGP",
        "SG",
        "HKG",
        "HK",
        "LUX",
        "LU",
        "LIE",
        "LI",
        "U.S.",
        "US",
        "U.S.A.",
        "US",
        "Scotland",
        "GB",
        "Wales",
        "GB",
        "Holland",
        "NL",
    ]
    for written, code in zip(codes[::2], codes[1::2], strict=True):
        assert region_of(written) == code
    for name, code in (("Great Britain", "GB"), ("Northern Ireland", "GB"), ("Czech Republic", "CZ")):
        assert region_of(name) == code
    assert region_of("United States of America") == "US"


def test_another_library_answers_only_if_it_knows_the_same_numbers() -> None:
    assert not is_the_same(pytest)
    assert is_the_same(type("Library", (), {"__phonenumbers_version__": phonenumbers.__version__}))  # type: ignore[arg-type]
