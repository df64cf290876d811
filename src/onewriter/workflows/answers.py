"""What the answers to questions do: one function a kind of question, whoever gives the answer."""

import uuid
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from onewriter.audit.absence import MISSING_CUSTOMERS
from onewriter.customers import findings, inbox, marks, requests, shops
from onewriter.customers.aliases import UNHEARD_MERGE, UNSETTLED_MERGE
from onewriter.customers.inbox import PARKED_DELIVERY, WAITING, UnknownDelivery
from onewriter.customers.questions import Question
from onewriter.customers.requests import SHOP_REDACTION, UNCLEAR_REDACTION, UNCLEAR_REQUEST
from onewriter.customers.retention import LARGE_PURGE, UNTOLD_DELETION
from onewriter.intake import again
from onewriter.intake.again import BodyGone
from onewriter.intake.apply import apply
from onewriter.intake.redact import answer_unclear
from onewriter.intake.refetch import answer_unsettled
from onewriter.intake.requests import answer_about_shop, answer_whose
from onewriter.intake.watch import SCOPES
from onewriter.records import Change, Instant, Kind, Path
from onewriter.vault.vault import ShopVault
from onewriter.workflows import asking
from onewriter.workflows.purging import answer_untold

VaultOf = Callable[[int], ShopVault]
Answer = Callable[[Connection, VaultOf, Question, Instant], str]


def carry_out_answer(db: Connection, vault_of: VaultOf, question: Question, now: Instant) -> str:
    """Do what the answer of a question says, in the transaction that wrote it down; in words, what was done."""
    carry_out = ANSWERS.get(question.kind)
    return "noted" if carry_out is None else carry_out(db, vault_of, question, now)


def _parked(db: Connection, vault_of: VaultOf, question: Question, now: Instant) -> str:
    position = int(question.evidence["position"])
    try:
        if question.answer == "retry":
            state = again.try_again(db, vault_of(question.shop_id), position, now)
            return f"delivery {position} is tried again" if state == WAITING else again.READ_INSTEAD
        inbox.drop(db, position, now)
        requests.give_up(db, question.shop_id, position, question.answered_by or "", now)
        return f"delivery {position} is given up"
    except BodyGone as gone:
        return f"noted. {gone}"
    except UnknownDelivery:
        # It was decided another way, or its time was over; the question must not wait for ever.
        return f"noted, since delivery {position} is not parked any more"


def _missing(db: Connection, _vault_of: VaultOf, question: Question, now: Instant) -> str:
    if question.answer == "delete":
        return f"{marks.release(db, question.shop_id, now)} customers are read again, and deleted if they are gone"
    return f"{marks.drop_held(db, question.shop_id)} customers are kept"


def _unheard(db: Connection, vault_of: VaultOf, question: Question, now: Instant) -> str:
    if question.answer != "merge":
        return "noted: they are two customers"
    ours = [uuid.UUID(question.evidence[name]).bytes for name in ("deleted", "kept")]
    deleted, kept = (findings.shopify_id_of(db, question.shop_id, each) for each in ours)
    if deleted is None or kept is None:
        return "noted, since one of the two is not here any more"
    # What a person says counts as a delivery would; that Shopify has the deleted one no more is known already.
    told = Change(deleted, Kind.MERGED, Path.READ, {}, None, now, into=kept)
    outcome = apply(db, vault_of(question.shop_id), [told], now).outcomes[0]
    return "the customer counts as merged" if outcome == "merged" else "the customer is read once more to be sure"


def _unsettled(db: Connection, vault_of: VaultOf, question: Question, now: Instant) -> str:
    return answer_unsettled(db, vault_of(question.shop_id), question, now)


def _scopes(db: Connection, _vault_of: VaultOf, question: Question, _now: Instant) -> str:
    shops.change(db, question.shop_id, {"checked_at": None})
    return "the scopes are looked at again"


def _untold(db: Connection, vault_of: VaultOf, question: Question, now: Instant) -> str:
    return answer_untold(db, vault_of(question.shop_id), question, now)


def _large_purge(_db: Connection, _vault_of: VaultOf, question: Question, _now: Instant) -> str:
    if question.answer != "purge":
        return "none of them is purged for a week"
    return "they are purged within the hour, or at once with `onewriter privacy purge`"


def _unclear_redaction(db: Connection, vault_of: VaultOf, question: Question, now: Instant) -> str:
    return answer_unclear(db, vault_of(question.shop_id), question, now)


def _unclear_request(db: Connection, _vault_of: VaultOf, question: Question, now: Instant) -> str:
    return answer_whose(db, question, now)


def _shop_redaction(db: Connection, _vault_of: VaultOf, question: Question, now: Instant) -> str:
    return answer_about_shop(db, question, now)


def _first_writes(db: Connection, _vault_of: VaultOf, question: Question, now: Instant) -> str:
    return asking.answer_first(db, question, now)


def _mass_writes(db: Connection, _vault_of: VaultOf, question: Question, now: Instant) -> str:
    return asking.answer_mass(db, question, now)


ANSWERS: Mapping[str, Answer] = {
    PARKED_DELIVERY: _parked,
    MISSING_CUSTOMERS: _missing,
    UNHEARD_MERGE: _unheard,
    UNSETTLED_MERGE: _unsettled,
    SCOPES: _scopes,
    UNCLEAR_REDACTION: _unclear_redaction,
    UNCLEAR_REQUEST: _unclear_request,
    SHOP_REDACTION: _shop_redaction,
    UNTOLD_DELETION: _untold,
    LARGE_PURGE: _large_purge,
    asking.FIRST_WRITES: _first_writes,
    asking.MASS_WRITES: _mass_writes,
}
"""What is done about each kind of question; an answer to any other is only noted."""
