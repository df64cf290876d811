"""Names speak for or against a link: titles, nicknames, initials, slips and swapped columns are seen through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules.identity import Agreement, Name, compare_names, name_of
from onewriter.rules.identity.nicknames import KNOWN, are_forms_of_one
from onewriter.rules.identity.people import is_one_edit_apart

SAME, NEAR, UNKNOWN, CONFLICT = Agreement.SAME, Agreement.NEAR, Agreement.UNKNOWN, Agreement.CONFLICT
DOUBT = Agreement.DOUBT
Columns = tuple[str | None, str | None]


@pytest.mark.parametrize(
    ("one", "other", "given_name", "surname"),
    [
        (("Ann", "Lee"), ("ANN", " lee "), SAME, SAME),
        (("Zoë", "Müller"), ("Zoe", "Mueller"), SAME, SAME),
        (("Søren", "Østergård"), ("Soren", "Ostergard"), SAME, SAME),
        (("Dr. Ann", "Lee"), ("Ann", "Lee PhD"), SAME, SAME),
        (("Frau Prof. Ann", "Lee"), ("Ann", "Lee"), SAME, SAME),
        (("Bob", "Lee"), ("Robert", "Lee"), SAME, SAME),
        (("Bob", "Lee"), ("Rob", "Lee"), SAME, SAME),
        (("Liz", "Lee"), ("Elizabeth", "Lee"), SAME, SAME),
        (("A.", "Lee"), ("Ann", "Lee"), NEAR, SAME),
        (("A", "Lee"), ("Bob", "Lee"), CONFLICT, SAME),
        (("A", "Lee"), ("李", "Lee"), UNKNOWN, SAME),
        (("JP", "Lee"), ("Jean-Pierre", "Lee"), NEAR, SAME),
        (("Jean-Pierre", "Lee"), ("JP", "Lee"), NEAR, SAME),
        (("JP", "Lee"), ("Jean Pierre Luc", "Lee"), NEAR, SAME),
        (("JL", "Lee"), ("Jean-Pierre", "Lee"), CONFLICT, SAME),
        (("Jean-Pierre", "Lee"), ("Jeanpierre", "Lee"), SAME, SAME),
        (("Anna Maria", "Lee"), ("Maria", "Lee"), DOUBT, SAME),
        (("Jean-Pierre", "Lee"), ("Pierre", "Lee"), DOUBT, SAME),
        (("José Luis", "Lee"), ("Luis", "Lee"), DOUBT, SAME),
        (("Jean-Pierre", "Lee"), ("Jean", "Lee"), NEAR, SAME),
        (("Ann Xu", "Lee"), ("Ann", "Lee"), SAME, SAME),
        (("J.", "Lee"), ("J.", "Lee"), NEAR, SAME),
        (("Mika", "Lee"), ("Nika", "Lee"), UNKNOWN, SAME),
        (("Mika", "Lee"), ("Mkia", "Lee"), NEAR, SAME),
        (("Amit", "Lee"), ("Amt", "Lee"), UNKNOWN, SAME),
        (("Gabriel", "Lee"), ("Biel", "Lee"), SAME, SAME), (("Elisabet", "Lee"), ("Lisa", "Lee"), SAME, SAME),
        (("Anna M.", "Lee"), ("Anna", "Lee"), SAME, SAME),
        (("María José", "Lee"), ("María Carmen", "Lee"), CONFLICT, SAME),
        (("María José", "Lee"), ("María Jose", "Lee"), SAME, SAME),
        (("María Jossé", "Lee"), ("María José", "Lee"), SAME, SAME),
        (("Anna", "Lee"), ("Anne", "Lee"), CONFLICT, SAME),
        (("Mario", "Lee"), ("Maria", "Lee"), CONFLICT, SAME),
        (("Jan", "Lee"), ("Jon", "Lee"), CONFLICT, SAME), (("Ravi", "Lee"), ("Rani", "Lee"), CONFLICT, SAME),
        (("Kees", "Lee"), ("Cornelis", "Lee"), SAME, SAME), (("Zosia", "Lee"), ("Zofia", "Lee"), SAME, SAME),
        (("Julian", "Lee"), ("Juliane", "Lee"), CONFLICT, SAME),
        (("Alexandru", "Lee"), ("Alexandra", "Lee"), NEAR, SAME),
        (("Valerian", "Lee"), ("Valeriana", "Lee"), CONFLICT, SAME),
        (("Kristof", "Lee"), ("Kristfo", "Lee"), NEAR, SAME),
        (("Sebastain", "Lee"), ("Sebastian", "Lee"), NEAR, SAME),
        (("Seb", "Lee"), ("Sebastiano", "Lee"), NEAR, SAME),
        (("Se", "Lee"), ("Sebastiano", "Lee"), CONFLICT, SAME),
        (("Ann", "Lee"), (None, "Lee"), UNKNOWN, SAME),
        (("Guest", "Customer"), ("Ann", "Lee"), UNKNOWN, UNKNOWN),
        (("ann@example.com", "ann@example.com"), ("Ann", "Lee"), UNKNOWN, UNKNOWN),
        (("Ann", "12"), ("Ann", "Lee"), SAME, UNKNOWN),
        (("Lee", "Ann"), ("Ann", "Lee"), SAME, SAME),
        (("Mueller", "Ann"), ("Ann", "Müller"), SAME, SAME),
        (("Ann Lee", None), ("Ann", "Lee"), SAME, SAME),
        ((None, "Lee, Ann"), ("Ann", "Lee"), SAME, SAME),
        ((None, "Dr. Ann van der Berg"), ("Ann", "Berg"), SAME, SAME),
        ((None, "Lee, Jr."), ("Ann", "Lee"), UNKNOWN, SAME),
        (("Ann", None), ("Ann", "Lee"), SAME, UNKNOWN),
        (("Ann", "van den Berg"), ("Ann", "Vandenberg"), SAME, SAME),
        (("Ann", "O'Neil"), ("Ann", "ONeil"), SAME, SAME),
        (("Ann", "O Neil"), ("Ann", "O'Neil"), SAME, SAME),
        (("Ann", "O'Neil"), ("Ann", "O'Brien"), SAME, CONFLICT),
        (("Ann", "Smith-Jones"), ("Ann", "Jones"), SAME, SAME),
        (("Ann", "L."), ("Ann", "Lee"), SAME, NEAR),
        (("Ann", "L."), ("Ann", "Ray"), SAME, CONFLICT),
        (("Ann", "Smyth"), ("Ann", "Smith"), SAME, NEAR),
        (("Ann", "Lee"), ("Ann", "Leo"), SAME, CONFLICT),
        (("Ann", "Nováková"), ("Ann", "Novák"), SAME, NEAR),
        (("Ann", "Kowalska"), ("Ann", "Kowalski"), SAME, NEAR),
        (("Ann", "Ivanova"), ("Ann", "Ivanov"), SAME, NEAR),
        (("Ann", "Dostoevskaya"), ("Ann", "Dostoevsky"), SAME, NEAR),
        (("Ann", "Smith"), ("Ann", "Smithson"), SAME, CONFLICT),
        (("Ann", "Lee"), ("Bob", "Ray"), CONFLICT, CONFLICT),
        (("John", "Lee Jr."), ("John", "Lee Sr."), CONFLICT, SAME),
        (("John", "Lee II"), ("John", "Lee III"), CONFLICT, SAME),
        (("John", "Lee Jr."), ("John", "Lee"), UNKNOWN, SAME),
        (("Иван", "Петров"), ("Ivan", "Petrov"), SAME, SAME),
        (("Наталья", "Петрова"), ("Natalia", "Petrov"), SAME, NEAR),
        (("Иван", "Петров"), ("Boris", "Petrov"), UNKNOWN, SAME),
        (("Γιώργος", "Παππας"), ("Giorgos", "Pappas"), SAME, SAME),
        (("太郎", "佐藤"), ("Taro", "Sato"), UNKNOWN, UNKNOWN),
        (("太郎", "佐藤"), ("花子", "佐藤"), CONFLICT, SAME),
        # A pet name that no table has, and one that is a name of its own.
        (("Tarvie", "Lee"), ("Tarvenus", "Lee"), NEAR, SAME), (("Wynnie", "Lee"), ("Wynford", "Lee"), NEAR, SAME),
        (("Winy", "Lee"), ("Winfried", "Lee"), NEAR, SAME), (("Gundi", "Lee"), ("Gundula", "Lee"), NEAR, SAME),
        (("Addy", "Lee"), ("Adalbert", "Lee"), NEAR, SAME), (("Ady", "Lee"), ("Adalbert", "Lee"), CONFLICT, SAME),
        (("Mary", "Lee"), ("Marguerita", "Lee"), CONFLICT, SAME), (("Gunni", "Lee"), ("Gunda", "Lee"), CONFLICT, SAME),
        # Names of which one begins the other, and both are names.
        (("Daniel", "Lee"), ("Danielle", "Lee"), UNKNOWN, SAME), (("Julie", "Lee"), ("Julien", "Lee"), UNKNOWN, SAME),
        (("Nico", "Lee"), ("Nicole", "Lee"), UNKNOWN, SAME), (("Andreas", "Lee"), ("Andrea", "Lee"), UNKNOWN, SAME),
        # Few slip at the first letter.
        (("Tarvenus", "Lee"), ("Karvenus", "Lee"), UNKNOWN, SAME),
        (("Arvenus", "Lee"), ("Tarvenus", "Lee"), UNKNOWN, SAME),
        (("Atrvenus", "Lee"), ("Tarvenus", "Lee"), NEAR, SAME),
        (("Rajesh", "Rao"), ("Rakesh", "Rao"), CONFLICT, SAME), (("Hasan", "Lee"), ("Hassan", "Lee"), SAME, SAME),
        (("Mirkus", "Lee"), ("Markus", "Lee"), NEAR, SAME), (("Mirku", "Lee"), ("Marku", "Lee"), UNKNOWN, SAME),
        # Nicknames in other letters, and with accents.
        (("Саша", "Иванов"), ("Александр", "Иванов"), SAME, SAME),
        (("Дмитрий", "Орлов"), ("Дима", "Орлов"), SAME, SAME),
        (("Toño", "Ruiz"), ("Antonio", "Ruiz"), SAME, SAME), (("Zé", "Silva"), ("José", "Silva"), SAME, SAME),
        (("María", "Ruiz"), ("José", "Ruiz"), CONFLICT, SAME),
        # Sons and grandsons.
        (("João", "Silva Filho"), ("João", "Silva"), UNKNOWN, SAME),
        (("João", "Silva Neto"), ("João", "Silva"), UNKNOWN, SAME),
        (("Pierre", "Roux fils"), ("Pierre", "Roux père"), CONFLICT, SAME),
        (("John", "Lee 2nd"), ("John", "Lee 3rd"), CONFLICT, SAME), (("Ana", "Neto"), ("Ana", "Neto"), SAME, SAME),
        (("Junior", "Lee"), ("Junior", "Lee"), SAME, SAME), ((None, "Lee"), ("John", "Lee Jr."), UNKNOWN, SAME),
        (("A", "Lee Jr."), ("李", "Lee"), UNKNOWN, SAME),
        # Surnames by their first letters, their umlauts and their women's forms.
        (("Ann", "Roen"), ("Ann", "Ron"), SAME, SAME), (("Ann", "Schaefer"), ("Ann", "Schafer"), SAME, SAME),
        (("Ann", "Mott"), ("Ann", "Matt"), SAME, NEAR), (("Ann", "Orlova"), ("Ann", "Orlov"), SAME, NEAR),
        (("Ann", "Medvedeva"), ("Ann", "Medvedev"), SAME, NEAR),
        (("Ann", "Tolstaskaia"), ("Ann", "Tolstaski"), SAME, NEAR),
        (("Ann", "Malecka"), ("Ann", "Malecki"), SAME, NEAR), (("Ann", "Nowicka"), ("Ann", "Nowicki"), SAME, NEAR),
        (("Ann", "Brodska"), ("Ann", "Brodski"), SAME, NEAR), (("Ann", "Brodska"), ("Ann", "Brodsky"), SAME, NEAR),
        (("A. B. Cee", "Lee"), ("Cee", "Lee"), SAME, SAME), (("A Bee", "Lee"), ("A Cee", "Lee"), NEAR, SAME),
        (("Ann", "A Bee"), ("Ann", "A Dor"), SAME, CONFLICT),
    ],
)  # fmt: skip
def test_each_part_of_two_names_speaks_for_or_against(
    one: Columns, other: Columns, given_name: Agreement, surname: Agreement
) -> None:
    found = compare_names(name_of(*one), name_of(*other))
    assert (found.given, found.surname) == (given_name, surname)
    assert compare_names(name_of(*other), name_of(*one)) == found


def test_names_agree_if_both_parts_do_and_at_most_one_is_only_near() -> None:
    ann = name_of("Ann", "Smith")
    assert compare_names(ann, name_of("Ann", "Smith")).are_same
    for near in (("A.", "Smith"), ("Ann", "Smyth")):
        found = compare_names(ann, name_of(*near))
        assert found.agree
        assert not found.are_same
        assert not found.conflict
    assert not compare_names(ann, name_of("A.", "Smyth")).agree
    assert not compare_names(ann, name_of("Ann", None)).agree
    couple = compare_names(ann, name_of("Bob", "Smith"))
    assert couple.conflict
    assert not couple.agree
    assert not couple.both_conflict
    assert compare_names(ann, name_of("Bob", "Ray")).both_conflict
    assert not compare_names(ann, Name()).conflict


def test_a_name_is_read_whichever_column_it_is_in() -> None:
    assert name_of("Anna van der", "Berg") == Name(("anna", "van", "der"), ("berg",))
    assert name_of("Anna", "van der Berg") == Name(("anna",), ("berg", "vanderberg"))
    assert name_of(None, "Anna van der Berg") == Name(("anna",), ("berg", "vanderberg"))
    assert name_of("Ann Lee", "") == Name(("ann",), ("lee",))
    assert name_of(None, "Lee") == Name((), ("lee",))
    assert name_of("Ann", None) == Name(("ann",), ())
    assert name_of("Mr Lee", None) == Name(("lee",), ())
    assert name_of(None, "Mr Lee") == Name((), ("lee",))
    assert name_of("Jr", "Lee") == Name((), ("lee",), "2")
    assert name_of("Ann", "Lee IV") == Name(("ann",), ("lee",), "4")
    assert name_of("Sr. Ann", "Lee") == Name(("ann",), ("lee",))
    assert name_of("Lee, Ann", None) == Name(("ann",), ("lee",))
    assert name_of("Lee, Jr.", None) == Name(("lee",), (), "2")
    assert name_of(None, "Ann Lee, Jr.") == Name(("ann",), ("lee",), "2")
    assert name_of(None, "Lee,") == Name((), ("lee",))
    assert name_of(None, "van Berg") == Name(("van",), ("berg",))
    assert name_of("Ann", "Neto") == Name(("ann",), ("neto",))
    assert name_of("Mr.", "Lee") == name_of("MBA", "Lee") == Name((), ("lee",))
    assert name_of("Guest", "Surname") == Name()
    assert name_of("Ann", "van Lee") == Name(("ann",), ("lee", "vanlee"))
    assert name_of("Ann", "Mc Lee") == Name(("ann",), ("lee", "mclee"))
    assert name_of("Ann", "de la") == Name(("ann",), ("de", "la"))
    assert name_of(None, None) == Name()
    assert not Name(("ann",)).is_whole
    assert not Name((), ("lee",)).is_whole
    assert Name(("ann",), ("lee",)).is_whole


def test_every_word_for_a_generation_is_known() -> None:
    for words, generation in (("Jr Jnr Junior Jun II", "2"), ("Sr Snr Senior Sen", "1"), ("III 3rd", "3"),
                              ("IV 4th", "4"), ("2nd Filho Hijo Fils", "2"), ("Père", "1"), ("Neto", "3")):  # fmt: skip
        for word in words.split():
            assert name_of("John", f"Lee {word}.") == Name(("john",), ("lee",), generation)


def test_an_ending_that_makes_a_womans_name_of_a_mans_is_no_short_form() -> None:
    for ending in ["a", "e", "o", "in", "ina", "ine", "ette", "etta", "ella", "elle", "ie", "y", "ta", "ne"]:
        assert compare_names(name_of("Tarven", "Lee"), name_of(f"Tarven{ending}", "Lee")).given is CONFLICT, ending
    assert compare_names(name_of("Tarven", "Lee"), name_of("Tarvenus", "Lee")).given is NEAR
    assert compare_names(name_of("Tar", "Lee"), name_of("Tarvenus", "Lee")).given is NEAR
    for vowel in "aeioy":
        assert compare_names(name_of(f"Tarven{vowel}", "Lee"), name_of("Tarvenu", "Lee")).given is NEAR
        other = "e" if vowel == "a" else "a"
        assert compare_names(name_of(f"Tarven{vowel}", "Lee"), name_of(f"Tarven{other}", "Lee")).given is CONFLICT


@pytest.mark.parametrize(
    ("written", "latin"),
    [
        ("абвгде", "abvgde"), ("жзикл", "zhzikl"), ("мнопр", "mnopr"), ("стуф", "stuf"), ("хцч", "khtsch"),
        ("шщ", "shshch"), ("объявь", "obyav"), ("ыэю", "yeyu"), ("ієґ", "iyeg"), ("αβγδεζ", "avgdez"),
        ("ηθικλ", "ithikl"),
        ("μνξοπ", "mnxop"), ("ρστυ", "rsty"), ("φχψω", "fchpso"),
    ],
)  # fmt: skip
def test_letters_of_other_scripts_are_known_by_their_sounds(written: str, latin: str) -> None:
    assert compare_names(name_of("Ann", written), name_of("Ann", latin)).surname is SAME


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("smith", "smyth", True), ("smith", "smit", True), ("smit", "smith", True), ("smith", "msith", True),
        ("smith", "smiht", True), ("smith", "asmith", True), ("smith", "smith", False), ("smith", "smyht", False),
        ("smith", "smithxx", False), ("smith", "mmiths", False), ("ab", "ba", True), ("", "a", True),
        ("abc", "cba", False),
        ("abcd", "badc", False),
    ],
)  # fmt: skip
def test_one_edit_is_seen(one: str, other: str, apart: bool) -> None:
    assert is_one_edit_apart(one, other) is apart
    assert is_one_edit_apart(other, one) is apart


def test_forms_of_one_name_are_known_and_two_formal_names_are_not_one() -> None:
    assert are_forms_of_one("bob", "rob")
    assert are_forms_of_one("bill", "william")
    assert are_forms_of_one("alex", "alexandra")
    assert not are_forms_of_one("alexander", "alexandra")
    assert not are_forms_of_one("christian", "christine")
    assert not are_forms_of_one("bob", "bill")
    assert not are_forms_of_one("nobody", "nobody")
    assert not are_forms_of_one("maria", "jose")
    assert are_forms_of_one("suleyman", "sulo")
    assert are_forms_of_one("alexander", "alec")
    assert {"robert", "anna", "anne", "alexander", "adam", "hang"} <= KNOWN
    assert not {"nobody", "mutated", "lee"} & KNOWN
    assert "|" not in KNOWN


@given(st.tuples(*[st.text(max_size=12)] * 4))
@settings(max_examples=50)
def test_which_name_comes_first_does_not_matter(texts: tuple[str, ...]) -> None:
    one, other = name_of(texts[0], texts[1]), name_of(texts[2], texts[3])
    assert compare_names(one, other) == compare_names(other, one)
    assert not compare_names(one, one).conflict
