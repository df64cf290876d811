"""Numbers at the edges of what is one: how many digits, which signs, and what is told where there is no key."""

import phonenumbers
import pytest

from onewriter.rules.identity import Phone, phone_forms, read_phone, region_of
from onewriter.rules.identity.numbering import Number, example, is_the_same, library, own_code, parsed
from onewriter.rules.identity.strength import is_placeholder_number

NUMBER = "+41446681800"
FORMAT, SPREADSHEET = ("format",), ("spreadsheet",)


def known(number: str, *repairs: str) -> Phone:
    """What is known of a number that is somebody's, whose two forms are one."""
    return Phone(number, number, "strong", repairs)


@pytest.mark.parametrize(
    ("raw", "region", "found"),
    [
        # In digits and signs of other writings.
        ("०४४ ६६८ १८ ००", "CH", known(NUMBER, *FORMAT)), ("٠٤٤٦٦٨١٨٠٠", "CH", known(NUMBER, *FORMAT)),
        ("044·668·18·00", "CH", known(NUMBER, *FORMAT)), ("044_668_18_00", "CH", known(NUMBER, *FORMAT)),
        ("044•668‧18.00", "CH", known(NUMBER, *FORMAT)),
        ("044 668 18 00 ext ٣", "CH", Phone(f"{NUMBER};ext=3", NUMBER, "strong", FORMAT)),
        ("044 668 18 00, x5", "CH", Phone(f"{NUMBER};ext=5", NUMBER, "strong", FORMAT)),
        ("044 668 18 00 (ext 5", "CH", Phone(f"{NUMBER};ext=5", NUMBER, "strong", FORMAT)),
        ("+44 668 x5", None, Phone(problem="not a number")),
        # Before the number.
        ("☎0446681800", "CH", known(NUMBER, *FORMAT)), ("✆ 0446681800", "CH", known(NUMBER, *FORMAT)),
        ("📞 0446681800", "CH", known(NUMBER, *FORMAT)), ("📱0446681800", "CH", known(NUMBER, *FORMAT)),
        ("tel:+41%2044%20668%2018%2000", None, known(NUMBER, *FORMAT)),
        ("tel:%2b41446681800", None, known(NUMBER, *FORMAT)), ("( (+41) 446681800", None, known(NUMBER, *FORMAT)),
        # The code of the country behind the zero that it replaces.
        ("0919812345678", "IN", known("+919812345678", "prefix")), ("041446681800", "CH", known(NUMBER, "prefix")),
        ("0 1 415 555 2671", "US", Phone(problem="not a number")),
        # A lost plus, and digits that are too few or too many for one.
        ("33144556677", "FR", known("+33144556677", "plus")), ("41446681800", "CH", known(NUMBER, "plus")),
        ("3314455667", "CH", Phone(problem="not a number")), ("41" * 11, "CH", Phone(problem="not a number")),
        ("0" + "41" * 11, "CH", Phone(problem="not a number")), ("00" + "41" * 11, "CH", Phone(problem="not a number")),
        ("4540667788", "CH", known("+4540667788", "plus")), ("00 0446681800", "US", Phone(problem="not a number")),
        # Without a country.
        ("919812345678", None, Phone(soft="+919812345678", problem="no country")),
        ("4540667788", None, Phone(soft="+4540667788", problem="no country")),
        ("454066778", None, Phone(problem="no country")), ("0812345678", None, Phone(problem="no country")),
        ("041446681800", None, Phone(problem="no country")),
        (" 45406", None, Phone(repairs=FORMAT, problem="no country")),
        ("9" * 16, "US", Phone(strength="blocked", problem="a placeholder")),
        ("2" + "41" * 11, None, Phone(problem="no country")),
        ("4540", None, Phone(problem="not a number")), ("+12", "CH", Phone(problem="not a number")),
        ("+000446681800", None, Phone(problem="not a number")),
        # What a spreadsheet shortened is worth a look where at most one digit is not sure.
        ("4.1446681800E+10", "CH", Phone(None, NUMBER, "strong", SPREADSHEET, "shortened by a spreadsheet")),
        ("+4,1446681800 e+10", "CH", Phone(None, NUMBER, "strong", SPREADSHEET, "shortened by a spreadsheet")),
        ("4144668180E1", "CH", Phone(None, NUMBER, "strong", SPREADSHEET, "shortened by a spreadsheet")),
        ("446681801E0", "CH", Phone(None, "+41446681801", "strong", SPREADSHEET, "shortened by a spreadsheet")),
        ("414466818E2", "CH", Phone(None, None, "strong", SPREADSHEET, "shortened by a spreadsheet")),
        ("44668180.1E0", "CH", Phone(None, None, "strong", SPREADSHEET, "shortened by a spreadsheet")),
        ("446681.8E3", "CH", Phone(None, None, "strong", SPREADSHEET, "shortened by a spreadsheet")),
        # Two in one field.
        (" +41446681800 / 1234567", None, Phone(repairs=FORMAT, problem="two numbers")),
        ("+41446681800 / 123456", None, Phone(problem="not a number")),
        ("044 668 18 00|044 668 18 01", "CH", Phone(problem="two numbers")),
        ("044 668 18 00 oder 044 668 18 01", "CH", Phone(problem="two numbers")),
        ("044 668 18 00 e 044 668 18 01", "CH", Phone(problem="two numbers")),
        (" " + "9" * 70, None, Phone(repairs=FORMAT, problem="too long")),
        # Forms that changed.
        ("+2290197123456", None, Phone("+2290197123456", "+22997123456")),
        ("+22901971234567", None, Phone("+22901971234567", "+22901971234567", "weak")),
        ("+390612345678", None, Phone("+390612345678", "+39612345678")),
        ("+3900612345678", None, Phone("+3900612345678", "+39612345678", "weak")),
        ("+49 170 0000000", None, Phone("+491700000000", "+491700000000", "blocked")),
    ],
)  # fmt: skip
def test_a_number_is_read_to_the_last_sign(raw: str, region: str | None, found: Phone) -> None:
    assert read_phone(raw, region) == found


@pytest.mark.parametrize(
    ("digits", "placeholder"),
    [
        ("11999999999", True), ("4155555555", True), ("14155555550", False), ("777777", True), ("7777771", False),
        ("415555555", True), ("41555555", False), ("79123000000", True), ("7912300000", False), ("1234567", True),
        ("123456", False), ("7654321", True), ("7654320", False),
    ],
)  # fmt: skip
def test_a_number_that_ends_in_one_digit_is_nobodys(digits: str, placeholder: bool) -> None:
    assert is_placeholder_number(digits) is placeholder


def test_whoever_looks_may_have_dialled_from_anywhere() -> None:
    for typed in ("0044 20 7946 0018", "011442079460018", "+0044 20 7946 0018", "\uff0b442079460018", "442079460018"):
        assert phone_forms(typed, "CH") == ("+442079460018",)
    assert phone_forms("0442079460018", "CH") == ("+41442079460018",)
    assert phone_forms("000442079460018", "CH") == phone_forms("00044", "CH") == ()
    assert phone_forms("\uff0b1 044 668 18 00", None) == ("+10446681800",)


def test_a_number_of_the_library_says_what_it_is() -> None:
    assert parsed(f"{NUMBER} x5", None) == Number(NUMBER, "5", True, True, False)
    assert parsed("+18003569377", None) == Number("+18003569377", None, True, True, True)
    assert parsed("no number", None) is None
    made = Number(NUMBER, None, national="446681800")
    assert (made.is_valid, made.is_possible, made.is_shared) == (False, False, False)
    assert made == Number(NUMBER, None, national="")
    assert [own_code(each) for each in ("CH", "DE", "GB", "KR", "US", "IT", "RU")] == ["41", "49", "44", "82"] + [
        None
    ] * 3


def test_every_country_has_a_made_up_number_but_those_without_mobiles() -> None:
    assert example("CH") == ("078 123 45 67", "+41781234567")
    assert example(None) is example("XX") is example("TA") is None


def test_the_library_that_answers_knows_the_same_numbers() -> None:
    assert library is phonenumbers or is_the_same(library)


def test_a_country_that_two_are_called_is_nobodys() -> None:
    assert region_of("Czech Republic") == "CZ"
    assert region_of("*fr") is None
    assert region_of("*FR") is None
