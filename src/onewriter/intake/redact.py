"""Carrying out customers/redact on arrival: everything of the customer goes at once, and waits for no 90 days."""

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from onewriter.customers import erasing, find, findings, inbox, questions, requests, runs, shops
from onewriter.customers.erasing import Asked, Erased
from onewriter.customers.inbox import DONE, Ending, Row
from onewriter.customers.questions import Ask, Question
from onewriter.customers.requests import UNCLEAR_REDACTION, Heard, Request
from onewriter.errors import DatabaseBusy
from onewriter.intake.apply import lock
from onewriter.records import Instant, id_text
from onewriter.shopify.compliance import redacted
from onewriter.shopify.topics import CUSTOMER_TOPICS, REDACT_TOPIC
from onewriter.vault.vault import ShopVault

NAMED_MAX = 100
"""The most customers that a question about an address can name."""
BY_US = "onewriter"
OVERDUE = "nothing is done, and the request is overdue from its deadline on"


def redact(
    db: Connection, vault: ShopVault, row: Row, body: bytes, now: Instant, applied: Collection[int] = ()
) -> Ending:
    """Erase whom the delivery names, and all who were merged into that customer, in the caller's transaction.

    Without an id, the one customer who has the address is meant; where there is none or several, or the address may
    have moved, a person is asked. `applied` are the deliveries that were applied before in the same transaction.
    `erasing.end` must follow once it is committed. Raises NotUnderstood for another shop's body.
    """
    named = redacted(body, shops.by_id(db, row.shop_id).domain)
    number = named.id
    if number is None:
        ours = find.ids_by_email(db, vault, named.email)
        number = None if _may_have_moved(db, row, ours, applied) else only_one(db, vault, ours)
        if number is None:
            return _ask(db, row, ours, now)
        lock(db, vault, [number])
        if only_one(db, vault, find.ids_by_email(db, vault, named.email)) != number:
            # Somebody was changed while we waited for the lock: the next try looks again.
            raise DatabaseBusy("The customer whom a redaction means was changed at this moment.")
    request = requests.write(db, heard_of(row, vault.key.id_hash(number)), "erased on arrival")
    erased = erase_all(db, vault, number, Asked(REDACT_TOPIC, asked_at(row), row.position), now)
    outcome = _outcome(erased)
    requests.end(db, request, outcome, BY_US, now, receipt=erased.receipt)
    return Ending(row.position, DONE, outcome)


def _may_have_moved(db: Connection, row: Row, ours: Sequence[bytes], applied: Collection[int]) -> bool:
    """True when somebody else may have had the address when Shopify asked: not all that came before is known here."""
    if runs.is_importing(db, row.shop_id):
        return True
    if inbox.any_waiting_before(db, row.shop_id, row.position, CUSTOMER_TOPICS, applied):
        return True
    return find.any_newer(db, ours, asked_at(row))


def erase_all(db: Connection, vault: ShopVault, number: int, asked: Asked, now: Instant) -> Erased:
    """Erase a customer and all who were merged into it, in the caller's transaction.

    `erasing.end` must follow once it is committed.
    """
    return erase_these(db, vault, [number], asked, now)


def erase_these(db: Connection, vault: ShopVault, numbers: Sequence[int], asked: Asked, now: Instant) -> Erased:
    """Erase customers and all who were merged into them, in the caller's transaction, with one receipt.

    `erasing.end` must follow once it is committed.
    """
    locked: list[int] = []
    whom = list(numbers)
    # Whoever is merged in while we wait for the locks is found by looking again.
    while set(whom) - set(locked):
        lock(db, vault, whom)
        locked, whom = whom, _with_merged(db, vault, numbers)
    return erasing.erase(db, vault, whom, asked, now)


def answer_unclear(db: Connection, vault: ShopVault, question: Question, now: Instant) -> str:
    """Do what a person says of a redaction that names no id: erase all who have its address, or nobody.

    `erasing.end` must follow once it is committed.
    """
    request = requests.get(db, int(question.evidence["request"]))
    if request.over:
        return f"noted, since the request has ended: {request.outcome}"
    by, receipt, outcome = question.answered_by or "", None, "nobody is meant: nothing was erased"
    if question.answer == "all":
        erased = _erase_named(db, vault, request, question, now)
        receipt, outcome = erased.receipt, _outcome(erased)
    requests.end(db, request.id, outcome, by, now, receipt=receipt)
    return outcome


def only_one(db: Connection, vault: ShopVault, ours: Sequence[bytes]) -> int | None:
    """The Shopify id of the one customer that several of our ids come to, as all the others were merged into it."""
    numbers = [findings.shopify_id_of(db, vault.shop_id, each) for each in ours[: NAMED_MAX + 1]]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or len(known) > NAMED_MAX:
        return None
    merged = {away for number in known for away in erasing.with_merged(db, vault, number)[1:]}
    left = [number for number in known if number not in merged]
    return left[0] if len(left) == 1 else None


def asked_at(row: Row) -> Instant:
    """When Shopify asked; when we received it where no header says so."""
    return row.triggered_at if row.triggered_at is not None else row.received_at


def heard_of(row: Row, subject_hash: bytes | None = None, customer_id: bytes | None = None) -> Heard:
    """What a delivery asks, as the requests keep it."""
    told = (row.shop_id, row.topic, row.position, asked_at(row), row.received_at)
    return Heard(*told, subject_hash, customer_id)


def _outcome(erased: Erased) -> str:
    return f"erased: {erased.customers}" if erased.customers else "nobody to erase"


def _ask(db: Connection, row: Row, ours: Sequence[bytes], now: Instant) -> Ending:
    """Ask a person whom an address means: an address may have changed hands, and an erasure cannot be undone."""
    heard = heard_of(row)
    request = requests.write(db, heard, "unclear: it names no id, and not one customer alone has its address")
    named = [id_text(each) for each in ours[:NAMED_MAX]]
    answers = {"nobody": "no customer of ours is meant: nothing is erased, and the request is done"}
    if 0 < len(ours) <= NAMED_MAX:
        answers["all"] = f"erase all {len(ours)} who have that address, and who were merged into them, for good"
    question = Ask(
        kind=UNCLEAR_REDACTION,
        subject=str(request),
        text=f"Request {request}: delivery {row.position} asks that a customer be erased, and names no id but an "
        f"address, which {len(ours)} customers of ours have. `onewriter inbox show {row.position} --reveal` shows it; "
        "for another customer run `onewriter privacy erase ID` first.",
        answers=answers,
        otherwise=OVERDUE,
        deadline=row.received_at + requests.TO_ANSWER,
        evidence={
            "request": request,
            "delivery": row.position,
            "customers": named,
        },
    )
    questions.ask(db, row.shop_id, question, now)
    return Ending(row.position, DONE, f"a person is asked: request {request}")


def _erase_named(db: Connection, vault: ShopVault, request: Request, question: Question, now: Instant) -> Erased:
    ours = [uuid.UUID(each).bytes for each in question.evidence["customers"]]
    numbers = [findings.shopify_id_of(db, vault.shop_id, each) for each in ours]
    asked = Asked(REDACT_TOPIC, request.asked_at, request.position)
    return erase_these(db, vault, [number for number in numbers if number is not None], asked, now)


def _with_merged(db: Connection, vault: ShopVault, numbers: Sequence[int]) -> list[int]:
    found = [each for number in numbers for each in erasing.with_merged(db, vault, number)]
    return list(dict.fromkeys(found))
