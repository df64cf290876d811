"""What Shopify asks of us in law, as it sends it, and what became of it."""

import json
from typing import Any

from onewriter.customers import questions, requests
from onewriter.customers.questions import Question
from onewriter.customers.requests import Request
from onewriter.db.engine import Database
from onewriter.records import Instant
from onewriter.workflows.answers import carry_out_answer
from tests.support.redacting import EMAIL
from tests.support.shops import DOMAIN, Tea


def data_request(
    number: int | None, *, email: str | None = EMAIL, phone: str | None = None, domain: str = DOMAIN, **more: Any
) -> bytes:
    """The body of customers/data_request, as Shopify's payload reference has it."""
    body = {"shop_id": 954889, "shop_domain": domain, "orders_requested": [299938], "data_request": {"id": 9999}}
    return json.dumps(body | {"customer": {"id": number, "email": email, "phone": phone}} | more).encode()


def shop_redaction(*, domain: str = DOMAIN, **more: Any) -> bytes:
    """The body of shop/redact."""
    return json.dumps({"shop_id": 954889, "shop_domain": domain} | more).encode()


def asked(database: Database) -> list[Request]:
    """Every request there ever was, oldest first."""
    with database.read() as db:
        return sorted(requests.every(db, 100), key=lambda each: each.id)


def states(tea: Tea) -> list[tuple[str, str]]:
    """What became of every request, oldest first."""
    return [(each.state, each.outcome) for each in asked(tea.runtime.database)]


def questions_of(tea: Tea) -> list[Question]:
    """The questions that wait."""
    with tea.runtime.database.read() as db:
        return questions.waiting(db, 100)


def answer(tea: Tea, question: Question, chosen: str, now: Instant) -> str:
    """Answer a question, as a person does, and say what was done."""
    with tea.runtime.database.write() as db:
        answered = questions.answer(db, question.id, chosen, "user:ann", "because", now)
        return carry_out_answer(db, tea.runtime.vault, answered, now)
