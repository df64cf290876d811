"""The file of a programme: what it sets, that nothing in it is guessed, and that it can be written and read again."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewriter.errors import BadSetting
from onewriter.loyalty.programme import compare, in_words
from onewriter.loyalty.programme_toml import (
    DAYS_MAX,
    FILE_BYTES_MAX,
    POINTS_MAX,
    BadProgramme,
    money_text,
    parse,
    to_toml,
)
from onewriter.rules.earning import UNIT, Basis, Expiry, Gift, OrderRule, Programme, Rounding, When
from onewriter.rules.toml_text import CONTROL

FULL = """
currency = "EUR"

[signup]
points = 50
pending_days = 3
requires_account = true

[newsletter]
points = 20

[order]
on = "fulfilled"
points_per_unit = "1.5"
amount = "subtotal"
rounding = "nearest"
minimum = "10.00"
pending_days = 14

[custom.review]
points = 30

[custom.birth-day_2]
points = 1
pending_days = 1

[expiry]
after_days = 365
inactivity_days = 180

[expiry.inactivity_by_tag]
VIP = 730
"öl & mehr" = 90

[exclude]
tags = ["Staff", " test "]
"""

WHOLE = Programme(
    currency="EUR",
    signup=Gift(50, 3, requires_account=True),
    newsletter=Gift(20),
    order=OrderRule(Decimal("1.5"), When.FULFILLED, Basis.SUBTOTAL, Rounding.NEAREST, 10 * UNIT, 14),
    custom={"review": Gift(30), "birth-day_2": Gift(1, 1)},
    expiry=Expiry(365, 180, {"vip": 730, "öl & mehr": 90}),
    excluded_tags=frozenset({"staff", "test"}),
)


def with_currency(text: str) -> str:
    return f'currency = "EUR"\n{text}'


def order(text: str = "") -> str:
    return with_currency(f"[order]\npoints_per_unit = 1\n{text}")


# ---- What a file sets -----------------------------------------------------------------------------------------------


def test_every_key_is_read() -> None:
    assert parse(FULL) == WHOLE


def test_a_section_that_is_absent_is_off() -> None:
    assert parse('currency = "EUR"') == Programme(currency="EUR")
    assert parse(with_currency("[expiry]\n[exclude]\n[custom]")) == Programme(currency="EUR")


def test_what_is_left_out_of_an_order_rule_is_the_usual() -> None:
    assert parse(order()).order == OrderRule(Decimal(1), When.PAID, Basis.TOTAL, Rounding.DOWN, 0, 0)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.1", "1.1"), ('"1.1"', "1.1"), ("2", "2"), ("1e3", "1000"), ("1_000.5", "1000.5"),
        ("0.000001", "0.000001"), ('"1000000"', "1000000"), ("0.10", "0.1"),
    ],
)  # fmt: skip
def test_points_for_a_unit_are_exact(written: str, read: str) -> None:
    rule = parse(with_currency(f"[order]\npoints_per_unit = {written}")).order
    assert rule is not None
    assert rule.points_per_unit == Decimal(read)


@pytest.mark.parametrize(
    ("written", "amount"),
    [('"10.00"', 10_000_000), ("0.01", 10_000), ('"0"', 0), ("-0.0", 0), ('"1000000000"', 10**15)],
)
def test_a_minimum_is_kept_in_millionths(written: str, amount: int) -> None:
    rule = parse(order(f"minimum = {written}")).order
    assert rule is not None
    assert rule.minimum == amount


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0.00"), (10_000_000, "10.00"), (12_500_000, "12.50"), (1, "0.000001"), (125_000, "0.125")]
)
def test_an_amount_is_written_with_two_decimals_at_least(amount: int, text: str) -> None:
    assert money_text(amount) == text


# ---- What is refused ------------------------------------------------------------------------------------------------

PER_UNIT = 'order.points_per_unit must be a number above 0 and up to 1,000,000 with at most 6 decimals, such as "1.5".'
MINIMUM = 'order.minimum must be a number from 0 to 1,000,000,000 with at most 6 decimals, such as "1.5".'
POINTS = "signup.points must be a whole number from 1 to 1,000,000."
TAGS = 'exclude.tags must be a list of at most 50 tags such as ["staff"], each of 1 to 255 letters without a comma.'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'currency must be three capital letters, such as "EUR".'),
        ('currency = "eur"', 'currency must be three capital letters, such as "EUR".'),
        ("currency = 3", 'currency must be three capital letters, such as "EUR".'),
        (order('rounding = "updown"'), "order.rounding must be down, nearest or up."),
        (order('on = "placed"'), "order.on must be paid or fulfilled."),
        (order("amount = 3"), "order.amount must be total or subtotal."),
        (order("pending_days = 3651"), "order.pending_days must be a whole number from 0 to 3,650."),
        *((with_currency(f"[order]\npoints_per_unit = {bad}"), PER_UNIT)
          for bad in ("0", "-1", "inf", "nan", "true", "[1]", '"1e3"', '"-1"', '""', "1000000.1", "0.0000001",
                      "1e99999999999999999999", "1e-99999999999999999999")),
        (with_currency("[order]"), PER_UNIT),
        *((order(f"minimum = {bad}"), MINIMUM) for bad in ('"-1"', "-0.01", "1000000000.01", "0.0000001", '"ten"')),
        *((with_currency(f"[signup]\npoints = {bad}"), POINTS)
          for bad in ("0", "-5", "1000001", "1.5", '"50"', "true", "2026-01-01")),
        (with_currency("[signup]"), POINTS),
        (with_currency("[signup]\npoints = 1\nrequires_account = 1"), "signup.requires_account must be true or false."),
        (with_currency("signup = 50"), "signup must be a section, which begins with a line [signup]."),
        (with_currency("[[signup]]\npoints = 1"), "signup must be a section, which begins with a line [signup]."),
        (with_currency("[custom]\nreview = 3"),
         "custom.review must be a section, which begins with a line [custom.review]."),
        (with_currency("[expiry]\nafter_days = 0"), "expiry.after_days must be a whole number from 1 to 3,650."),
        (with_currency("[expiry]\ninactivity_days = 3651"),
         "expiry.inactivity_days must be a whole number from 1 to 3,650."),
        (with_currency("[expiry.inactivity_by_tag]\nvip = 0"),
         "expiry.inactivity_by_tag.vip must be a whole number from 1 to 3,650."),
        (with_currency("[expiry.inactivity_by_tag]\nvip = 1\nVIP = 2"),
         'expiry.inactivity_by_tag."VIP" must be there once: tags are the same in capitals and small letters.'),
        (with_currency('[expiry.inactivity_by_tag]\n"a,b" = 1'),
         'expiry.inactivity_by_tag."a,b" must be a tag of 1 to 255 letters without a comma.'),
        *((with_currency(f"[exclude]\ntags = {bad}"), TAGS)
          for bad in ('"staff"', "[3]", '[""]', '["a,b"]', '["a\\u0007"]', str(["t"] * 51), f'["{"x" * 256}"]')),
        (with_currency('[custom."Big Name"]\npoints = 1'),
         'custom."Big Name" must be named with 1 to 40 of the letters a to z, digits, - and _.'),
        (with_currency(f"[custom.{'x' * 41}]\npoints = 1"),
         f'custom."{"x" * 41}" must be named with 1 to 40 of the letters a to z, digits, - and _.'),
        (with_currency("".join(f"[custom.r{n}]\npoints = 1\n" for n in range(51))),
         "custom must be at most 50 rules."),
        (with_currency("[expiry.inactivity_by_tag]\n" + "".join(f"t{n} = 1\n" for n in range(51))),
         "expiry.inactivity_by_tag must be at most 50 tags."),
    ],
)  # fmt: skip
def test_what_is_not_right_is_told_by_its_key_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(BadProgramme) as refused:
        parse(text)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (with_currency("[signup]\npoint = 3"), "signup.point is no key of a programme; did you mean points?"),
        (with_currency("[sign_up]\npoints = 3"), "sign_up is no key of a programme; did you mean signup?"),
        (order('amounts = "total"'), "order.amounts is no key of a programme; did you mean amount?"),
        (with_currency("[newsletter]\npoints = 1\nrequires_account = true"),
         "newsletter.requires_account is no key of a programme; here it may hold points and pending_days."),
        (with_currency("[exclude]\nstaff = true"),
         "exclude.staff is no key of a programme; here it may hold tags."),
        (with_currency("[custom.review]\npoints = 1\npending = 1"),
         "custom.review.pending is no key of a programme; did you mean pending_days?"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_the_nearest_known_name(text: str, sentence: str) -> None:
    with pytest.raises(BadProgramme) as refused:
        parse(text)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("currency", "A programme must be a TOML file: "),
        ('currency = "EUR"\ncurrency = "USD"', "A programme must be a TOML file: "),
        ("a = " + "[" * 50_000, "nested too deeply"),
        ("a = " + "1" * 5_000, "a number of too many digits"),
        ("# " + "x" * FILE_BYTES_MAX, "at most 64 KiB"),
        ("# \x1b[2J", "holds a control character"),
        ("# \x9b", "holds a control character"),
    ],
)
def test_what_is_no_toml_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(BadSetting) as refused:
        parse(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not CONTROL.search(str(refused.value))


def test_the_name_of_an_unknown_key_cannot_steer_a_terminal() -> None:
    with pytest.raises(BadProgramme) as refused:
        parse(with_currency('"a\\u001b[2J\\n" = 1'))
    assert not CONTROL.search(str(refused.value))
    assert "\n" not in str(refused.value)


# ---- There and back -------------------------------------------------------------------------------------------------

days = st.integers(1, DAYS_MAX)
tags = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=","), min_size=1, max_size=12)
clean_tags = tags.map(lambda tag: tag.strip().lower()).filter(bool)
names = st.from_regex(r"[a-z0-9_-]{1,40}", fullmatch=True)
gifts = st.builds(Gift, st.integers(1, POINTS_MAX), st.integers(0, DAYS_MAX))
orders = st.builds(
    OrderRule,
    points_per_unit=st.decimals("0.000001", 1_000_000, places=6, allow_nan=False),
    on=st.sampled_from(When),
    basis=st.sampled_from(Basis),
    rounding=st.sampled_from(Rounding),
    minimum=st.integers(0, 10**15),
    pending_days=st.integers(0, DAYS_MAX),
)
programmes = st.builds(
    Programme,
    currency=st.from_regex("[A-Z]{3}", fullmatch=True),
    signup=st.none() | st.builds(Gift, st.integers(1, POINTS_MAX), st.integers(0, DAYS_MAX), st.booleans()),
    newsletter=st.none() | gifts,
    order=st.none() | orders,
    custom=st.dictionaries(names, gifts, max_size=4),
    expiry=st.builds(
        Expiry, st.none() | days, st.none() | days, inactivity_by_tag=st.dictionaries(clean_tags, days, max_size=4)
    ),
    excluded_tags=st.frozensets(clean_tags, max_size=4),
)


@given(programmes)
def test_what_is_written_is_read_again(rules: Programme) -> None:
    assert parse(to_toml(rules)) == rules


@given(st.integers(0, len(FULL)), st.integers(0, 6), st.text(max_size=4) | st.sampled_from(["[", "=", '"', "9", "-"]))
def test_a_file_with_a_slip_is_a_programme_or_is_refused(at: int, lost: int, typed: str) -> None:
    try:
        rules = parse(FULL[:at] + typed + FULL[at + lost :])
    except BadProgramme:
        return
    assert parse(to_toml(rules)) == rules


# ---- In words -------------------------------------------------------------------------------------------------------


def test_each_rule_is_told_in_words() -> None:
    assert in_words(WHOLE) == {
        "currency": "EUR",
        "signup": "50 points, pending for 3 days, only with an account",
        "newsletter": "20 points",
        "order": "1.5 points for each EUR of the subtotal, rounded nearest, from 10.00 EUR on, when fulfilled, "
        "pending for 14 days",
        "custom:birth-day_2": "1 point, pending for 1 day",
        "custom:review": "30 points",
        "expiry": "365 days after they could be spent",
        "inactivity": "180 days after the last activity",
        "inactivity of vip": "730 days after the last activity",
        "inactivity of öl & mehr": "90 days after the last activity",
        "excluded": "staff, test",
    }


def test_a_comparison_names_what_is_new_what_changed_and_what_is_off() -> None:
    before = parse(with_currency("[signup]\npoints = 5\n[newsletter]\npoints = 1"))
    after = parse(with_currency("[signup]\npoints = 6\n[custom.review]\npoints = 2"))
    told = [(each.rule, each.before, each.after) for each in compare(before, after)]
    assert told == [
        ("signup", "5 points", "6 points"),
        ("custom:review", None, "2 points"),
        ("newsletter", "1 point", None),
    ]
    assert [each.rule for each in compare(None, after)] == ["currency", "signup", "custom:review"]


@given(programmes, programmes)
def test_programmes_are_the_same_exactly_when_nothing_differs_in_words(one: Programme, other: Programme) -> None:
    assert compare(one, one) == []
    assert (compare(one, other) == []) is (one == other)
