"""Search: whatever people know of a customer finds it through an index that nobody can read back."""

from typing import Any

import pytest
from sqlalchemy import func, select

from onewriter.customers import find, search
from onewriter.customers.erasing import Asked, end
from onewriter.customers.search import Answer, TextTooLong
from onewriter.db.privacytables import name_tokens
from onewriter.db.tables import customers
from onewriter.errors import UnknownCustomer
from onewriter.intake.redact import erase_all
from onewriter.records import Instant
from onewriter.records import Path as Way
from tests.support.shops import Tea, absent, gone, later, told

ANN = {"first_name": "Zoë", "last_name": "O'Müller-Weiß", "email": "Zoe@Example.com", "phone": "+447700900111"}


@pytest.fixture
def shop(tea: Tea, now: Instant) -> Tea:
    """A shop of six customers."""
    names = [("Mia", "Canary"), ("Mia", "Li"), ("Miana", "Canute"), ("太郎", "佐藤"), (None, "Mia")]
    others = [told(102 + n, now, {"first_name": first, "last_name": last}) for n, (first, last) in enumerate(names)]
    tea.apply(told(101, now, ANN), *others, now=now)
    return tea


def look(tea: Tea, text: str, most: int = 50, **options: Any) -> Answer:
    with tea.runtime.database.read() as db:
        return search.search(db, tea.vault, text, most, **options)


def ids(answer: Answer) -> list[int]:
    return sorted(one.shopify_id or 0 for one in answer.found)


TYPED = [
    ("zoe", [101]), ("ZOË", [101]), ("mül", [101]), ("omuller", [101]), ("O'Müller", [101]), ("weiss", [101]),
    ("Weiß Zoe", [101]), ("muller-weiss", [101]), ("zoe@example.COM", [101]), ("07700 900 111", [101]),
    ("0044 (0)7700 900111", [101]), ("44 7700 900111 ", [101]), ("101", [101]),
    ("gid://shopify/Customer/101", [101]),
    ("mia", [102, 103, 104, 106]), ("mian", [104]), ("mia can", [102, 104]), ("can mia", [102, 104]),
    ("mia canary", [102]), ("mia li", [103]), ("li", [103]), ("l", []), ("mi", []), ("太郎", [105]),
    ("佐藤太郎", [105]), ("佐藤", [105]), ("佐藤太", [105]), ("miax", []), ("zoe canary", []), ("anary", []),
    ("", []), ("'", []), ("@", []),
]  # fmt: skip


def test_a_customer_is_found_by_what_people_type(shop: Tea) -> None:
    answers = {text: look(shop, text) for text, _found in TYPED}
    assert {text: ids(answer) for text, answer in answers.items()} == dict(TYPED)
    assert not any(answer.building or answer.more for answer in answers.values())


def test_a_customer_is_found_by_our_id(shop: Tea) -> None:
    [found] = look(shop, "101").found
    assert look(shop, found.id_text).found == [found]


def test_an_answer_says_why_it_is_short_and_shows_nothing_that_is_not_masked(shop: Tea) -> None:
    assert look(shop, "mi").too_short
    assert not look(shop, "mia").too_short
    [found] = look(shop, "zoe").found
    assert "Zo" not in str(found.fields)
    first = look(shop, "mia", most=2)
    assert (len(first.found), first.more) == (2, True)
    assert 104 not in ids(first), "who has the word whole comes first"


def test_only_so_many_are_opened_and_the_answer_says_so(
    shop: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [told(200 + n, now, {"first_name": f"Mari{n:02}"}) for n in range(30)]
    shop.apply(*many, now=now)
    assert ids(look(shop, "mari29")) == [229]
    monkeypatch.setattr(search, "OPENED_MAX", 20)
    answer = look(shop, "mari2")
    assert (ids(answer), answer.more) == ([], True)
    assert ids(look(shop, "mari29")) == [229], "a whole word is found whatever begins like it"


def test_what_is_too_long_is_refused(shop: Tea) -> None:
    for text in ("a" * 321, "one two three four five six seven"):
        with pytest.raises(TextTooLong):
            look(shop, text)


def test_hidden_customers_are_found_and_say_so_unless_they_are_left_out(shop: Tea, now: Instant) -> None:
    shop.apply(gone(102, later(now, 5)), absent(102, later(now, 6)), now=later(now, 7))
    assert {one.state for one in look(shop, "mia canary").found} == {"deleted"}
    assert look(shop, "mia canary", only_live=True).found == []
    assert ids(look(shop, "mia", only_live=True)) == [103, 104, 106]


def test_many_who_are_hidden_do_not_keep_one_who_is_there_from_being_found(
    shop: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [told(200 + n, now, {"first_name": "Mia"}) for n in range(30)]
    shop.apply(*many, *(gone(each.record_id, later(now, 5)) for each in many), now=now)
    monkeypatch.setattr(search, "OPENED_MAX", 10)
    assert ids(look(shop, "mia", only_live=True)) == [102, 103, 104, 106]


@pytest.mark.req("K25")
def test_an_old_name_address_and_number_find_nobody_once_they_were_replaced(shop: Tea, now: Instant) -> None:
    new = {"first_name": "Eva", "last_name": "Neu", "email": "eva@example.com", "phone": "+447700900222"}
    shop.apply(told(101, later(now, 9), new, path=Way.READ), now=later(now, 9))
    for old in ("zoe", "omuller", "mul", "weiss", "zoe@example.com", "+447700900111"):
        assert look(shop, old).found == []
    for text in ("eva", "neu", "eva@example.com", "07700 900222"):
        assert ids(look(shop, text)) == [101]
    with shop.runtime.database.read() as db:
        ours = find.show(db, shop.vault, "101").id
        left = db.execute(select(name_tokens.c.token).where(name_tokens.c.customer_id == ours)).scalars().all()
    assert sorted(left) == shop.vault.index.of(1).name_tokens("Eva", "Neu"), "and no token of it is left"


def test_a_change_of_something_else_leaves_the_tokens_of_the_name(shop: Tea, now: Instant) -> None:
    shop.apply(told(101, later(now, 9), ANN | {"note": "likes oolong"}, path=Way.READ), now=later(now, 9))
    assert ids(look(shop, "zoe")) == [101]
    shop.apply(
        told(101, later(now, 19), ANN | {"first_name": None, "last_name": None}, path=Way.READ), now=later(now, 19)
    )
    assert look(shop, "zoe").found == []


def test_two_shops_have_different_tokens_for_one_name(shop: Tea, now: Instant) -> None:
    shop.runtime.keys.make_shop_key(99, now)
    mine, other = shop.vault.index.of(1), shop.runtime.keys.shop_key(99).first_index_secret
    assert other != shop.vault.key.first_index_secret
    assert mine.name_token("zoe") != type(mine)(1, other).name_token("zoe")
    assert -(2**63) <= mine.name_token("zoe") < 2**63


@pytest.mark.req("K32")
def test_whoever_is_erased_leaves_no_token(shop: Tea, now: Instant) -> None:
    with shop.runtime.database.write() as db:
        erase_all(db, shop.vault, 101, Asked("customers/redact", now), now)
    end(shop.runtime.database, shop.runtime.keys, now)
    assert look(shop, "zoe").found == []
    with shop.runtime.database.read() as db:
        orphans = select(func.count()).select_from(name_tokens)
        orphans = orphans.where(name_tokens.c.customer_id.not_in(select(customers.c.id)))
        assert db.execute(orphans).scalar() == 0


def test_exactly_one_is_shown_and_a_name_is_not_enough(shop: Tea) -> None:
    with shop.runtime.database.read() as db, pytest.raises(UnknownCustomer):
        find.show(db, shop.vault, "zoe")
