"""Purging as the service does it: at a time of the test's choosing, by a clock that Shopify's agrees with."""

from collections.abc import Iterator
from contextlib import contextmanager

from onewriter.customers import questions, runs, shops
from onewriter.customers.questions import Question
from onewriter.customers.runs import Run
from onewriter.records import Instant
from onewriter.runtime import Runtime
from onewriter.workflows import purging
from onewriter.workflows.answers import carry_out_answer
from onewriter.workflows.carrying import carry_out
from onewriter.workflows.purging import Looked
from tests.support.shops import Tea, absent, gone, later


@contextmanager
def at(tea: Tea, moment: Instant, *, apart: Instant = 0) -> Iterator[Runtime]:
    """The same installation on a machine whose clock stands there, and Shopify's that much beside it."""
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"shopify_date": moment + apart, "shopify_date_heard": moment})
    with Runtime(tea.runtime.settings, clock=lambda: moment) as elsewhere:
        yield elsewhere


def look(tea: Tea, moment: Instant) -> Looked:
    with at(tea, moment) as runtime:
        return purging.look_for_due(runtime, tea.shop_id, "test")


def purge(tea: Tea, moment: Instant) -> Run | None:
    """Look for what is due and carry the purge out; None where nothing was queued."""
    with at(tea, moment) as runtime:
        looked = purging.look_for_due(runtime, tea.shop_id, "test")
        if looked.run_id is None:
            return None
        carry_out(runtime, looked.run_id)
        with runtime.database.read() as db:
            return runs.get(db, looked.run_id)


def delete(tea: Tea, number: int, moment: Instant, *, confirmed: bool = True) -> None:
    """Shopify tells of the deletion, and a direct read a minute later finds nobody."""
    tea.apply(gone(number, moment), now=moment)
    if confirmed:
        tea.apply(absent(number, later(moment, 60)), now=later(moment, 60))


def answer(tea: Tea, question: Question, chosen: str, moment: Instant) -> str:
    with tea.runtime.database.write() as db:
        answered = questions.answer(db, question.id, chosen, "user:test", None, moment)
        return carry_out_answer(db, tea.runtime.vault, answered, moment)


def asked(tea: Tea, kind: str) -> list[Question]:
    with tea.runtime.database.read() as db:
        return questions.waiting_of(db, tea.shop_id, kind)
