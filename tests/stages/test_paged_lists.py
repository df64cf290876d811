"""Long lists come in pages, on both databases: each begins behind the last of the one before, and none is missed."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from onewriter.customers import access, access_lines, erasing, find, inbox, parked, questions, requests
from onewriter.customers.access import Act
from onewriter.customers.access_lines import Wanted
from onewriter.customers.erasing import Asked
from onewriter.customers.parked import Unplaced
from onewriter.customers.questions import Ask
from onewriter.intake.redact import erase_all
from onewriter.records import DAY, SECOND, Instant
from tests.support.lawful import data_request
from tests.support.redacting import deliver, person
from tests.support.shops import Tea

Item = TypeVar("Item")


def paged(look: Callable[[Any], Sequence[Item]], key: Callable[[Item], Any]) -> list[Item]:
    """Every item of a list, a page after the other."""
    found: list[Item] = []
    page = look(None)
    while page:
        found += page
        page = look(key(page[-1]))
        assert len(found) < 100, "a page began where one began before"
    return found


def test_requests_come_by_their_deadlines_and_those_that_are_done_after_all_others(tea: Tea, now: Instant) -> None:
    days = (3, 1, 3, 2, 1)
    tea.apply(*(person(101 + each, now, email=f"a{each}@example.com") for each in range(5)), now=now)
    for number, ago in enumerate(days):
        content = data_request(101 + number, email=f"a{number}@example.com")
        deliver(tea, now - ago * DAY, "customers/data_request", content, f"w-{number}")
    with tea.runtime.database.write() as db:
        for request_id in (2, 4):
            requests.end(db, request_id, "exported", "user:ann", now)
    with tea.runtime.database.read() as db:
        waiting = paged(lambda behind: requests.waiting(db, 2, behind), lambda each: (each.deadline, each.id))
        every = paged(lambda behind: requests.every(db, 2, behind), lambda each: (int(each.over), each.id))
        assert waiting == requests.waiting(db, 100)
    assert [each.id for each in waiting] == [1, 3, 5]
    assert [each.id for each in every] == [5, 3, 1, 4, 2]


def test_questions_come_oldest_first_while_they_wait_and_newest_first_in_all(tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        ids = [
            questions.ask(db, tea.shop_id, Ask("kind", str(each), "What?", {"yes": "do it"}, "nothing"), now)
            for each in range(5)
        ]
        questions.answer(db, ids[1], "yes", "user:ann", None, now)
    with tea.runtime.database.read() as db:
        waiting = paged(lambda behind: questions.waiting(db, 2, behind or 0), lambda each: each.id)
        every = paged(lambda behind: questions.every(db, 2, behind), lambda each: each.id)
    assert [each.id for each in waiting] == [ids[0], *ids[2:]]
    assert [each.id for each in every] == ids[::-1]


def test_deliveries_come_newest_first_in_whatever_state(tea: Tea, now: Instant) -> None:
    for number in range(5):
        deliver(tea, now, "orders/fancy", b"{}", f"w-{number}")
    with tea.runtime.database.write() as db:
        inbox.drop(db, 3, now)
        inbox.retry(db, 1)
    with tea.runtime.database.read() as db:

        def positions(state: str | None) -> list[int]:
            found = paged(lambda behind: inbox.listed(db, state, 2, behind), lambda row: row["position"])
            return [row["position"] for row in found]

        assert positions(None) == [5, 4, 3, 2, 1]
        assert positions(inbox.PARKED) == [5, 4, 2]
        assert (positions(inbox.WAITING), positions(inbox.DROPPED), positions(inbox.DONE)) == ([1], [3], [])


def test_receipts_come_newest_first(tea: Tea, now: Instant) -> None:
    numbers = range(101, 106)
    tea.apply(*(person(number, now, email=f"{number}@example.com") for number in numbers), now=now)
    made = []
    for number in numbers:
        with tea.runtime.database.write() as db:
            moment = now + number * SECOND
            made.append(erase_all(db, tea.vault, number, Asked("by user:ann", moment), moment).receipt)
    with tea.runtime.database.read() as db:
        found = paged(lambda behind: erasing.receipts(db, 2, behind), lambda each: bytes(each["id"]))
    assert [bytes(each["id"]) for each in found] == made[::-1]


def test_lines_of_the_access_log_come_newest_first_of_those_that_are_asked_for(tea: Tea, now: Instant) -> None:
    acts = [Act("reveal" if each % 2 else "export", "user:ann", "owner", tea.shop_id) for each in range(6)]
    access.append(tea.runtime.database, tea.runtime.keys, acts, now)

    def positions(wanted: Wanted) -> list[int]:
        with tea.runtime.database.read() as db:
            found = paged(lambda behind: access_lines.newest(db, wanted, 2, behind), lambda line: line.position)
        return [line.position for line in found]

    assert positions(Wanted()) == [6, 5, 4, 3, 2, 1]
    assert positions(Wanted(action="reveal")) == [6, 4, 2]


def test_parked_values_come_oldest_first(tea: Tea, now: Instant) -> None:
    tea.apply(*(person(101 + each, now, email=f"a{each}@example.com") for each in range(5)), now=now)
    with tea.runtime.database.write() as db:
        ids = [find.show(db, tea.vault, str(101 + each)).id for each in range(5)]
        keys = tea.vault.keys.subject_keys(ids)
        refused = [Unplaced(each, keys[each], "crm", "note", "theirs", "owned by shopify") for each in ids]
        parked.park_all(db, tea.shop_id, refused, now)
        parked.end_one(db, parked.listed(db, tea.shop_id, 1)[0].id, parked.DROPPED, "user:ann", now)
    with tea.runtime.database.read() as db:
        open_ = paged(lambda behind: parked.listed(db, tea.shop_id, 2, after=behind), lambda each: each.id)
        every = paged(lambda behind: parked.listed(db, tea.shop_id, 2, after=behind, ended=True), lambda each: each.id)
        assert open_ == parked.listed(db, tea.shop_id, 100)
    assert (len(open_), len(every)) == (4, 5)
