"""Names are found as people type them: whatever the case, the accents and the signs between two words."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onewriter.rules.identity import canonical_phone, phone_forms
from onewriter.rules.names import (
    LETTERS_MAX,
    RAW_MAX,
    WORDS_MAX,
    are_all_in,
    fold,
    keys_for,
    keys_of,
    typed,
    whole_key,
    words_of,
)  # fmt: skip

NAMES = st.text(st.characters(exclude_categories=("Cs", "Co", "Cn")), max_size=30)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("MÜLLER", "muller"), ("Weiß", "weiss"), ("Łukasz", "lukasz"), ("Østergård", "ostergard"), ("Đorđe", "dorde"),
        ("Æsop", "aesop"), ("Œuvre", "oeuvre"), ("Þór", "thor"), ("İpek", "ipek"), ("Yılmaz", "yilmaz"),
        ("Mu\u0308ller", "muller"), ("Ｍｉａ", "mia"), ("ﬁona", "fiona"), ("Їжак", "іжак"), ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("दीपा", "दीपा"), ("がく", "がく"), ("김민수", "김민수"), ("O’Neil", "o'neil"), ("a\u200bnn", "ann"),
    ],
)  # fmt: skip
def test_spellings_of_one_name_are_folded_alike(name: str, folded: str) -> None:
    assert fold(name) == folded


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("Mia", "O'Neil", {"mia", "oneil", "o", "neil"}),
        ("Jean-Luc", "D’Artois", {"jeanluc", "jean", "luc", "dartois", "d", "artois"}),
        ("Ann", "Smith-O'Neil", {"ann", "smithoneil", "smith", "oneil", "o", "neil"}),
        ("José\tMaría", None, {"jose", "maria"}),
        ("O`Neil", None, {"oneil", "o", "neil"}),
        ("María José", "García Márquez", {"maria", "jose", "garcia", "marquez"}),
        ("J.R.", "Smith, Jr.", {"j", "r", "smith", "jr"}),
        ("太郎", "佐藤", {"太郎", "佐藤", "佐藤太郎"}),
        ("민수", "김", {"민수", "김", "김민수"}),
        (None, "Lee", {"lee"}),
        ("-- '", "💐", set()),
        (None, None, set()),
    ],
)
def test_a_name_is_found_by_its_words(first: str | None, last: str | None, words: set[str]) -> None:
    assert set(words_of(first, last)) == words


@pytest.mark.parametrize(
    ("text", "first", "last", "whole", "begins"),
    [
        ("mia", "Mia", "Canary", True, True),
        ("mül", "Mia", "Muller", False, True),
        ("O'NEIL", "Mia", "ONeil", True, True),
        ("oneil", "Mia", "O’Neil", True, True),
        ("o neil", "Mia", "O'Neil", True, True),
        ("neil", "Mia", "O'Neil", True, True),
        ("jean luc", "Jean-Luc", None, True, True),
        ("jean-luc", "Jean Luc", None, True, True),
        ("jeanluc", "Jean-Luc", None, True, True),
        ("canary mia", "Mia", "Canary", True, True),
        ("can mi", "Mia", "Canary", False, True),
        ("mia canary x", "Mia", "Canary", False, False),
        ("佐藤太郎", "太郎", "佐藤", True, True),
        ("王", "小明", "王", True, True),
        ("anary", "Mia", "Canary", False, False),
    ],
)
def test_what_is_typed_matches_whole_words_or_their_beginnings(
    text: str, first: str, last: str | None, whole: bool, begins: bool
) -> None:
    words = words_of(first, last)
    assert are_all_in(typed(text), words, whole=True) is whole
    assert are_all_in(typed(text), words, whole=False) is begins


def test_a_short_word_has_few_keys_and_a_long_one_its_beginnings() -> None:
    assert keys_of(["li"]) == {"=li"}
    assert keys_of(["mia"]) == {"=mia"}
    assert keys_of(["anna"]) == {"=anna", "ann"}
    assert keys_of(["christopher"]) == {"=christopher", "chr", "chri", "christ"}
    assert keys_for("li") == ()
    assert keys_for("chris") == ("chri",)


def test_there_is_a_limit_to_everything() -> None:
    assert len(words_of("a " * 1000, "b" * 1000)) == 2
    assert len(words_of(" ".join(string.ascii_lowercase), None)) == WORDS_MAX
    assert max(map(len, words_of("b" * RAW_MAX, "-".join("c" * 100)))) == LETTERS_MAX
    assert len(fold("a" * RAW_MAX)) == RAW_MAX


@settings(max_examples=50)
@given(NAMES, NAMES)
@example("ΐ", "ß")
@example("\u0345a", "İi")
def test_whoever_types_a_word_of_a_name_or_its_beginning_finds_it(first: str, last: str) -> None:
    words = words_of(first, last)
    keys = keys_of(words)
    for word in words:
        assert whole_key(word) in keys
        assert typed(word) == (word,), "a word that was folded stays as it is"
        for length in range(3, len(word) + 1):
            assert keys & set(keys_for(word[:length]))
            assert are_all_in([word[:length]], words, whole=False)
    assert are_all_in(typed(last), words_of(None, last), whole=True) or len(typed(last)) > WORDS_MAX


@pytest.mark.parametrize(
    "written",
    [
        "+447700900111", "+44 7700 900111", "+44 (0)7700 900111", "0044 7700 900111", "011 44 7700 900111",
        "447700900111", "44-7700-900-111", "07700 900111", "(07700) 900-111", "07700.900.111", "07700/900111",
        "tel:+44-7700-900111", "07700 900111 ext 5", "\u202a+44 7700 900111\u202c", "٠٧٧٠٠٩٠٠١١١",
    ],
)  # fmt: skip
def test_a_number_is_meant_however_it_is_written(written: str) -> None:
    assert "+447700900111" in phone_forms(written, "GB")


@pytest.mark.parametrize("written", ["0044 7700 900111", "011 44 7700 900111", "44 7700 900111"])
def test_a_number_with_its_country_is_meant_from_anywhere(written: str) -> None:
    assert "+447700900111" in phone_forms(written, None)


@pytest.mark.parametrize("text", ["Mia", "12", "", "0", "+", "ann@example.com", "1" * 65, "000000000000"])
def test_what_is_no_number_means_none(text: str) -> None:
    assert phone_forms(text, "GB") == ()


def test_what_is_kept_of_a_number_has_one_form_and_its_extension() -> None:
    assert canonical_phone("07700 900111 x5", "GB") == "+447700900111;ext=5"
    assert canonical_phone("447700900111", "US") is None, "whoever looks may guess, and whoever keeps may not"
