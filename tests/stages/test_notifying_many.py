"""Notices where very much waits: nothing is passed over for it, and nothing is read whole that was told of."""

from collections.abc import Sequence

from onewriter.customers import notices, questions, requests
from onewriter.customers.notices import Told
from onewriter.customers.questions import Ask
from onewriter.customers.requests import Heard
from onewriter.records import DAY, Instant
from onewriter.workflows.channels import Outcome
from onewriter.workflows.notifying import turn
from tests.support.receivers import outbox, telling
from tests.support.shops import Tea

MANY = 620


class Deaf:
    """A way over which nothing ever arrives."""

    name = "webhook"

    def send(self, some: Sequence[Told], now: Instant) -> Outcome:
        return Outcome(dict.fromkeys([one.id for one in some], "Nobody listens."))


def test_every_request_is_told_of_however_many_there_are(tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        for number in range(1, MANY + 1):
            heard = requests.write(db, Heard(tea.shop_id, "customers/redact", number, now, now), "asked")
        deadline = requests.get(db, heard).deadline
    with telling(tea, deadline - 4 * DAY) as runtime:
        turn(runtime, [Deaf()])
    told = {each.subject for each in outbox(tea) if each.kind == "deadline near"}
    assert told == {f"request {number}" for number in range(1, MANY + 1)}


def test_thousands_of_questions_are_told_of_some_at_a_time(tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        for number in range(MANY):
            asked = Ask("test", str(number), "Is it so?", {"yes": "it is"}, "nothing happens")
            questions.ask(db, tea.shop_id, asked, now)
    with telling(tea, now) as runtime:
        for known in (500, MANY, MANY):
            turn(runtime, [Deaf()])
            with tea.runtime.database.read() as db:
                assert len(notices.listed(db, 1000)) == 1 + known
