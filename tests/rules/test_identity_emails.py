"""Email addresses: what is equal in tight form is one mailbox, what is equal in soft form is worth a look."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules.identity import canonical_email, compare_values, read_email

EMAIL_LENGTH_MAX = 1_000
MATCH, REVIEW, NO_MATCH = "match", "review", "no_match"

SAME = [
    "Ann@Example.COM ", "a\u200bnn@example.com", "\ufeffann@example.com", "ann@exam\u00adple.com",
    "ann\u00a0@example.com",
    "ann@example.com\r\n", "mailto:ann@example.com?subject=Hi", "MAILTO:Ann@example.com", "mailto:%61nn@example.com",
    "Ann Smith <ann@example.com>", "<ann@example.com>", "'ann@example.com'", "'ann@example.com", '"ann@example.com"',
    "„ann@example.com“", "ann@example.com.", "ann@example.com;", "ann@example.com,", ",ann@example.com",
    '"ann"@example.com',
    '"a\\nn"@example.com', "ann&#64;example.com", "ann&#x40;example.com",
    "ann&amp;#64;example.com", "ann @ example.com",

    "ann@ｅｘａｍｐｌｅ.com",
    "ann@example。com", '"ann@example.com" <ann@example.com>', 'Ann "The" Lee <ann@example.com>;',
    "ann@example.com (work)", "E-Mail: ann@example.com", "email:ann@example.com", '="ann@example.com"',
    "[ann@example.com]",
    "`ann@example.com`", "<ann@example.com", "ann@example.com>", "<mailto:ann@example.com>",
    "Lee, Ann <ann@example.com>",
    "(ann@example.com)", "[Ann@example.com](mailto:ann@example.com)", "ann@example.com\ufe0f",
    "\u3164ann@example.com",
    "ann@EXAMPLE.com.", "ann@example.com'",
]  # fmt: skip


@pytest.mark.req("M11", "M67")
@pytest.mark.parametrize("written", SAME)
def test_what_differs_in_format_is_one_mailbox_and_says_what_was_repaired(written: str) -> None:
    found = read_email(written)
    assert found.tight == "ann@example.com"
    assert found.soft == "ann@example.com"
    assert found.strength == "strong"
    assert found.problem is None
    assert found.repairs
    assert compare_values("email", written, None, "ann@example.com", None).decision == MATCH


PAIRS = [
    ('"ann smith"@example.com', '"Ann Smith"@example.com', MATCH),
    ("ann&amp;bob@example.com", "ann&bob@example.com", MATCH),
    ("ann&copy@example.com", "ann©@example.com", NO_MATCH),
    ("ann@bücher.de", "ann@xn--bcher-kva.de", MATCH),
    ("ann@BÜCHER.DE", "ann@bücher.de", MATCH),
    ("ann@i❤.ws", "ann@xn--i-7iq.ws", MATCH),
    ("jose\u0301@example.com", "josé@example.com", MATCH),
    ("mailto:ann%2Bx@example.com", "ann+x@example.com", MATCH),
    ("O'Neil@example.com", "o'neil@example.com", MATCH),
    ("'o'neil@example.com'", "o'neil@example.com", MATCH),
    ("user@example.com", "User@Example.com", MATCH),
    ("ann@straße.de", "ann@strasse.de", NO_MATCH),
    ("groß@example.com", "gross@example.com", NO_MATCH),
    ("ısmail@example.com", "ismail@example.com", NO_MATCH),
    ("josé@example.com", "jose@example.com", NO_MATCH),
    ("a.nn@gmail.com", "ann@gmail.com", REVIEW),
    ("ann@googlemail.com", "ann@gmail.com", REVIEW),
    ("a.nn+x@googlemail.com", "ann@gmail.com", REVIEW),
    ("a.nn@example.com", "ann@example.com", NO_MATCH),
    ("ann+a@example.com", "ann@example.com", REVIEW),
    ("ann+a@example.com", "ann+b@example.com", REVIEW),
    ("ann@me.com", "ann@icloud.com", REVIEW),
    ("ann@mac.com", "ann@me.com", REVIEW),
    ("ann@pm.me", "ann@protonmail.com", REVIEW),
    ("ann@proton.me", "ann@protonmail.ch", REVIEW),
    ("ann@ya.ru", "ann@yandex.ru", REVIEW),
    ("ann@yandex.com", "ann@yandex.by", REVIEW),
    ("ann@yandex.kz", "ann@yandex.ru", REVIEW),
    ("ann@hotmail.com", "ann@outlook.com", NO_MATCH),
    ("ann-x@yahoo.com", "ann@yahoo.com", NO_MATCH),
    ("ａｎｎ@example.com", "ann@example.com", REVIEW),
    ("ann＠example.com", "ann@example.com", REVIEW),
    ("ann%40example.com", "ann@example.com", REVIEW),
    ("аnn@example.com", "ann@example.com", REVIEW),
    ("ann@gооgle.com", "ann@google.com", REVIEW),
    ("josÃ©@example.com", "josé@example.com", REVIEW),
    ("josã©@example.com", "josé@example.com", REVIEW),
    ("info@example.com", "INFO@example.com", REVIEW),
    ("info2@example.com", "info2@example.com", REVIEW),
    ("sales+de@example.com", "sales@example.com", REVIEW),
    ("l33t@example.com", "1337@example.com", NO_MATCH),
    ("john1@example.com", "johnl@example.com", NO_MATCH),
    ("ann@example.com", "anna@example.com", NO_MATCH),
    ("ann@gmial.com", "ann@gmail.com", NO_MATCH),
    ("+ann@example.com", "ann@example.com", NO_MATCH),
    ("...@gmail.com", "ann@gmail.com", NO_MATCH),
    ("ann@sub.example.com", "ann@example.com", NO_MATCH),
    ("ann..b@example.com", "ann.b@example.com", NO_MATCH),
]


@pytest.mark.req("M43")
@pytest.mark.parametrize(("one", "other", "decision"), PAIRS)
def test_a_pair_is_decided_whichever_comes_first(one: str, other: str, decision: str) -> None:
    found, turned = compare_values("email", one, None, other, None), compare_values("email", other, None, one, None)
    assert found.decision == turned.decision == decision
    assert found.reason == turned.reason


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (None, "empty"), ("", "empty"), (" n/a ", "empty"), ("NULL", "empty"), ("[object Object]", "empty"),
        ("-", "empty"),
        ("ann", "not one @"), ("ann@@example.com", "not one @"), ("a@b@example.com", "not one @"),
        ("ann@a.com, bob@a.com", "two addresses"), ("ann@a.com bob@b.com", "two addresses"),
        ("bob@b.com <ann@a.com>", "two addresses"), ("mailto:ann@a.com,bob@a.com", "two addresses"),
        ("ann smith@example.com", "a local part that no mailbox has"),
        ("ann,x@example.com", "a local part that no mailbox has"),
        ("ann@", "no domain"), ("@example.com", "a local part that no mailbox has"), ("ann@localhost", "no domain"),
        ("ann@exa mple.com", "no domain"), ("ann@[192.168.0.1]", "no domain"), ("ann@example,com", "no domain"),
        ("ann@-a.❤.com", "no domain"), ("none", "empty"), ("<none>", "empty"), ("ann@example.com/", "no domain"),
        ("ann@.", "no domain"),
        ("x" * 65 + "@exämple.com", "a local part that no mailbox has"),
        ("x" * EMAIL_LENGTH_MAX + "@example.com", "too long"),
    ],
)  # fmt: skip
def test_where_there_is_no_key_the_reason_is_told(raw: str | None, problem: str) -> None:
    found = read_email(raw)
    assert (found.tight, found.problem) == (None, problem)
    assert canonical_email(raw) is None
    assert compare_values("email", raw, None, raw, None).decision == NO_MATCH


def test_the_longest_that_is_read_is_read() -> None:
    local = "x" * 64
    assert canonical_email(f"{local}@exämple.com") == f"{local}@xn--exmple-cua.com"
    name = "n" * (EMAIL_LENGTH_MAX - len(" <ann@example.com>"))
    assert canonical_email(f"{name} <ann@example.com>") == "ann@example.com"
    assert canonical_email(f"{name}n <ann@example.com>") is None


def test_every_repair_is_named() -> None:
    assert read_email("ann@example.com").repairs == ()
    assert read_email(" ann@example.com").repairs == ("blanks",)
    assert read_email("Ann@example.com").repairs == ("case",)
    assert read_email(" Ann@example.com").repairs == ("blanks", "case")
    assert read_email("a\u200bnn@example.com").repairs == ("unseen characters",)
    assert read_email("ann&#64;example.com").repairs == ("entities",)
    assert read_email("<Ann@example.com>").repairs == ("wrapping", "case")
    assert read_email('"ann"@example.com').repairs == ("quotes",)
    assert read_email("ann@bücher.de").repairs == ("domain",)
    assert read_email("ann @bücher.de").repairs == ("blanks", "domain")
    assert read_email("ann@bücher.de.").repairs == ("wrapping", "domain")
    assert read_email("<ann@localhost>").repairs == ("wrapping",)
    assert read_email(" n/a").repairs == ("blanks",)
    assert read_email("ann@BÜCHER.de").repairs == ("case", "domain")


def test_a_quoted_local_part_keeps_its_quotes_where_it_needs_them() -> None:
    assert canonical_email('"Ann Smith"@example.com') == '"ann smith"@example.com'
    assert canonical_email('"a\\"b"@example.com') == '"a\\"b"@example.com'
    assert canonical_email('"a@b"@example.com') == '"a@b"@example.com'
    assert canonical_email('".ann"@example.com') == '".ann"@example.com'
    assert canonical_email('"ann."@example.com') == '"ann."@example.com'
    assert canonical_email('"a..b"@example.com') == '"a..b"@example.com'
    assert canonical_email('"a.b"@example.com') == "a.b@example.com"


@given(st.text(max_size=40))
@settings(max_examples=50)
def test_the_tight_form_of_a_tight_form_is_itself(text: str) -> None:
    for raw in (text, f"{text}@example.com", f"ann@{text}.com"):
        tight = canonical_email(raw)
        assert tight == read_email(raw).tight
        if tight is not None:
            assert canonical_email(tight) == tight
