"""`onewriter questions`: see what waits for a person, and answer it."""

from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.inputs import as_json, limit_option
from onewriter.cli.output import answer as print_answer
from onewriter.cli.output import details, plain, say, table
from onewriter.customers import erasing, questions, requests, retention, shops
from onewriter.customers.questions import Question
from onewriter.records import iso
from onewriter.runtime import Runtime, now
from onewriter.shopify.topics import COMPLIANCE_TOPICS
from onewriter.workflows.answers import carry_out_answer

ANSWER = "answer"
FOR_OWNERS = frozenset({*requests.KINDS, retention.LARGE_PURGE, retention.UNTOLD_DELETION})
"""The kinds of questions whose answers may end protected data for good, or hand it out."""


@click.group("questions")
def group() -> None:
    """See what waits for a person, and answer it."""


@group.command("list")
@click.option("--all", "everything", is_flag=True, help="Answered ones too, the newest first.")
@limit_option
@as_json
def list_questions(everything: bool, limit: int, as_json: bool) -> None:
    """List the questions that wait for an answer, the oldest first."""
    with session.opened() as runtime, runtime.database.read() as db:
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        found = questions.every(db, limit) if everything else questions.waiting(db, limit)
    documents = [_document(question, domains[question.shop_id]) for question in found]

    def tell() -> None:
        names = ("ID", "SHOP", "QUESTION", "ANSWERS", "DEADLINE", "ANSWER")
        columns = ("id", "shop", "text", "answers", "deadline", "answer")
        rows = ([" | ".join(one[c]) if c == "answers" else one[c] for c in columns] for one in documents)
        if documents:
            table(names, rows)
        else:
            say("No question waits.")

    print_answer(as_json, documents, tell)


@group.command("show")
@click.argument("question_id", metavar="ID", type=int)
@as_json
def show(question_id: int, as_json: bool) -> None:
    """Show a question: its evidence, what each answer does, and what happens without one."""
    with session.opened() as runtime, runtime.database.read() as db:
        question = questions.get(db, question_id)
        document = _document(question, shops.by_id(db, question.shop_id).domain)

    def tell() -> None:
        details({name: value for name, value in document.items() if name not in ("answers", "evidence")})
        say("\nEvidence")
        details(document["evidence"])
        say("\nAnswers")
        details(document["answers"])
        if document["answer"] is None:
            say(f'\nAnswer it with `onewriter questions answer {document["id"]} "ANSWER" --why WHY`.')

    print_answer(as_json, document, tell)


@group.command("answer")
@click.argument("question_id", metavar="ID", type=int)
@click.argument("chosen", metavar="ANSWER")
@click.option("--why", metavar="TEXT", help="The reason, recorded with your name.")
@as_json
def answer(question_id: int, chosen: str, why: str | None, as_json: bool) -> None:
    """Answer a question, once; what the answer says is done in the same transaction."""
    moment = now()
    with session.opened() as runtime:
        _permit(runtime, question_id, chosen, why)
        with runtime.database.write() as db:
            question = questions.answer(db, question_id, chosen, session.actor(), why, moment)
            carried_out = carry_out_answer(db, runtime.vault, question, moment)
            document = _document(question, shops.by_id(db, question.shop_id).domain) | {"done": carried_out}
        if question.kind == requests.UNCLEAR_REDACTION:
            erasing.end(runtime.database, runtime.keys, moment)
    print_answer(as_json, document, lambda: say(f"Answered with {plain(chosen)}: {carried_out}."))


def _permit(runtime: Runtime, question_id: int, chosen: str, why: str | None) -> None:
    with runtime.database.read() as db:
        question = questions.get(db, question_id)
        of_law = question.evidence.get("topic") in COMPLIANCE_TOPICS and chosen != "retry"
        if question.kind not in FOR_OWNERS and not of_law:
            require(db, Role.STAFF)
            return
    # What was typed goes into the log only where it is one of our words.
    said = chosen if chosen in question.answers else "unknown"
    about = [About(subject=f"question {question_id}, {question.kind}: {said}")]
    permit(runtime, Role.OWNER, ANSWER, about, shop_id=question.shop_id, why=why)


def _document(question: Question, domain: str) -> dict[str, Any]:
    return {
        "id": question.id,
        "shop": domain,
        "kind": question.kind,
        "text": question.text,
        "answers": dict(question.answers),
        "otherwise": question.otherwise,
        "evidence": dict(question.evidence),
        "asked_at": iso(question.asked_at),
        "deadline": iso(question.deadline),
        "answered_at": iso(question.answered_at),
        "answer": question.answer,
        "answered_by": question.answered_by,
        "why": question.why,
    }
