"""Taking up customers/data_request and shop/redact: each becomes a request, which a person or a run answers."""

from sqlalchemy import Connection

from onewriter.customers import exporting, find, findings, inbox, questions, requests, runs, shops
from onewriter.customers.inbox import DONE, Ending, Row
from onewriter.customers.questions import Ask, NotAnswerable, Question
from onewriter.customers.requests import REFUSED, SHOP_REDACTION, UNCLEAR_REQUEST, Request
from onewriter.customers.shops import DISCONNECTED, ERASED, Shop
from onewriter.intake.redact import BY_US, OVERDUE, heard_of, only_one
from onewriter.records import Instant
from onewriter.shopify.compliance import check_shop_redacted, data_requested
from onewriter.vault.vault import ShopVault

NOTHING_HELD = "nothing is held of that id"
ERASED_BEFORE = "the shop was erased before"
ACCEPTED = "accepted: a run erases everything of the shop"


def take_data_request(db: Connection, vault: ShopVault, row: Row, body: bytes, now: Instant) -> Ending:
    """Write down whose data is asked for; a person answers it. What is clear is kept without the body.

    A customer of whom nothing is held needs no person. Raises NotUnderstood for another shop's body.
    """
    shop = shops.by_id(db, row.shop_id)
    named = data_requested(body, shop.domain)
    number = named.id
    if number is None:
        ours = {*find.ids_by_email(db, vault, named.email), *find.ids_by_phone(db, vault, named.phone)}
        number = only_one(db, vault, sorted(ours))
        if number is None:
            return _ask_whose(db, row, len(ours), now)
    heard = heard_of(row, vault.key.id_hash(number), findings.customer_id_of(db, shop.id, number))
    inbox.empty(db, [row.position])
    known = requests.same(db, heard)
    if known is not None:
        return Ending(row.position, DONE, f"asked already: request {known.id}")
    request = requests.write(db, heard, "whoever asks is to be told what is held")
    if _is_unknown(db, vault, number):
        requests.end(db, request, NOTHING_HELD, BY_US, now)
        return Ending(row.position, DONE, NOTHING_HELD)
    return Ending(row.position, DONE, f"open: request {request}")


def answer_whose(db: Connection, question: Question, now: Instant) -> str:
    """Do what a person says of a request for data that does not say clearly whose."""
    request = requests.get(db, int(question.evidence["request"]))
    if request.over:
        return f"noted, since the request has ended: {request.outcome}"
    requests.end(db, request.id, "nobody is meant: nothing is held", question.answered_by or "", now)
    return "the request is done"


def take_shop_redaction(db: Connection, row: Row, body: bytes, now: Instant) -> Ending:
    """Accept that everything of the shop is erased, if it is gone; else ask a person. A run does it.

    Raises NotUnderstood for another shop's body.
    """
    shop = shops.locked(db, row.shop_id)
    check_shop_redacted(body, shop.domain)
    heard = heard_of(row)
    known = requests.same(db, heard, whole_shop=True)
    if known is not None and known.state == requests.ACCEPTED:
        return Ending(row.position, DONE, f"asked already: request {known.id}")
    request = requests.write(db, heard, "") if known is None else known.id
    if shop.state == ERASED:
        outcome = ERASED_BEFORE
        requests.end(db, request, outcome, BY_US, now)
    elif is_gone_since(shop, heard.asked_at):
        outcome = ACCEPTED
        requests.accept(db, request, outcome, heard.asked_at)
        questions.withdraw(db, shop.id, SHOP_REDACTION, [str(request)], now)
    else:
        outcome = f"a person is asked: request {request}"
        ask_about_shop(db, requests.get(db, request), shop, now)
    return Ending(row.position, DONE, outcome)


def is_gone_since(shop: Shop, asked: Instant) -> bool:
    """True when the shop is disconnected, and was installed before its redaction was asked for.

    Shopify asks two days after the app was removed, and does not say of which installation it speaks.
    """
    return shop.state == DISCONNECTED and shop.connected_at < asked


def ask_about_shop(db: Connection, request: Request, shop: Shop, now: Instant) -> None:
    """Ask a person whether a shop that is in use, or was connected since, is to be erased all the same."""
    again = "was connected again after that" if shop.state == DISCONNECTED else f"is {shop.state}"
    requests.reopen(db, request.id, f"unclear: the shop {again}")
    question = Ask(
        kind=SHOP_REDACTION,
        subject=str(request.id),
        text=f"Request {request.id}: Shopify asks that everything of {shop.domain} be erased, but the shop {again}.",
        answers={
            "erase": "erase everything of the shop, for good; only while it is disconnected",
            "keep": "keep everything; the request is refused",
        },
        otherwise=OVERDUE,
        deadline=request.deadline,
        evidence={"request": request.id, "delivery": request.position, "state": shop.state},
    )
    questions.ask(db, shop.id, question, now)


def answer_about_shop(db: Connection, question: Question, now: Instant) -> str:
    """Do what a person says of the redaction of a shop. Raises NotAnswerable rather than accept a connected one's."""
    shop = shops.locked(db, question.shop_id)
    request = requests.get(db, int(question.evidence["request"]))
    if request.over:
        return f"noted, since the request has ended: {request.outcome}"
    if question.answer == "keep":
        requests.end(db, request.id, "kept, as a person decided", question.answered_by or "", now, state=REFUSED)
        return "everything is kept"
    if shop.state != DISCONNECTED:
        raise NotAnswerable(
            f"{shop.domain} is {shop.state}, and only a disconnected shop is erased; run "
            f"`onewriter shop disconnect {shop.domain}` first."
        )
    requests.accept(db, request.id, ACCEPTED, request.asked_at)
    return "a run erases everything of the shop"


def _is_unknown(db: Connection, vault: ShopVault, number: int) -> bool:
    """True when nothing is held of a customer, and nothing is on its way either."""
    if runs.is_importing(db, vault.shop_id):
        return False
    return not exporting.is_held(db, vault, exporting.whom(db, vault, number))


def _ask_whose(db: Connection, row: Row, count: int, now: Instant) -> Ending:
    meant = {0: "no customer", 1: "1 customer"}.get(count, f"{count} customers")
    request = requests.write(db, heard_of(row), f"unclear: it names no id, and {meant} can be meant")
    question = Ask(
        kind=UNCLEAR_REQUEST,
        subject=str(request),
        text=f"Request {request}: delivery {row.position} asks for somebody's data and names no id, and {meant} "
        f"of ours can be meant. `onewriter inbox show {row.position} --reveal` shows who asks; "
        f"`onewriter privacy export ID DIR --request {request}` writes what is held of one of ours.",
        answers={"nobody": "no customer of ours is meant: nothing is held, and the request is done"},
        otherwise=OVERDUE,
        deadline=row.received_at + requests.TO_ANSWER,
        evidence={"request": request, "delivery": row.position, "customers": count},
    )
    questions.ask(db, row.shop_id, question, now)
    return Ending(row.position, DONE, f"a person is asked: request {request}")
