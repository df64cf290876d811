"""How sentences, names and ids look on a page."""

import pytest

from onewriter.records import Path
from onewriter.rules.diagnosis.causes.catalogue import CATALOGUE
from onewriter.web.pages import wording
from onewriter.web.pages.wording import CAUSES, WAYS, brief, came, cause, day, prose, way, who


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("question 1 waits; `onewriter questions show 1` tells of it.", '<a href="/questions/1"><code>'),
        ("`onewriter systems show my-crm`", '<a href="/systems/my-crm">'),
        ("`onewriter cases close 4 --why TEXT` ends it", '<a href="/cases/4">'),
        ("start `onewriter serve`", "start <code>onewriter serve</code>"),
        ("a `", "a `"),
        (None, wording.DASH),
    ],
)
def test_a_command_in_a_sentence_is_set_apart_and_leads_to_its_page(told: str | None, shown: str) -> None:
    assert shown in prose(told)


@pytest.mark.parametrize(
    "told",
    ["<b>", "`<b>`", '`onewriter systems show x" onclick="y`', "`onewriter runs show <b>`", '"><script>`a`'],
)
def test_nothing_of_a_sentence_is_taken_for_markup(told: str) -> None:
    written = prose(told)
    assert not any(mark in written for mark in ("<b>", "<script", 'onclick="'))


def test_every_cause_and_every_way_is_said_in_words() -> None:
    assert set(CAUSES) == {each.name for each in CATALOGUE}
    assert set(WAYS) == set(Path)
    assert (cause("two_writers"), cause(None)) == ("two systems write it by turns", "not known")
    assert way("send", "crm") == "sent to crm"


def test_names_days_and_ids_are_told_apart() -> None:
    assert (who("user:ann"), who("token:till"), who(None)) == ("ann", "token:till", wording.DASH)
    assert day("2026-11-23T10:00:00+00:00") == day("2026-11-23") == "23 Nov 2026"
    one, other = "01a20969-0000-7000-8000-000000000001", "01a20969-0000-7000-8000-000000000002"
    assert brief(one) != brief(other)
    assert (came("loose_source"), came("taken_in")) == ("Customers without a record", "Taken in")
