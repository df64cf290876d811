"""`onewriter questions`: see what waits for a person, and answer it."""

from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import check_why
from onewriter.cli.inputs import as_json, limit_option
from onewriter.cli.output import answer as print_answer
from onewriter.cli.output import details, plain, say, table
from onewriter.desk import questions


@click.group("questions")
def group() -> None:
    """See what waits for a person, and answer it."""


@group.command("list")
@click.option("--all", "everything", is_flag=True, help="Answered ones too, the newest first.")
@limit_option
@as_json
def list_questions(everything: bool, limit: int, as_json: bool) -> None:
    """List the questions that wait for an answer, the oldest first."""
    with session.opened() as runtime:
        documents = questions.listed(session.caller(runtime), None, limit, everything=everything)["items"]

    def tell() -> None:
        names = ("ID", "SHOP", "QUESTION", "ANSWERS", "DEADLINE", "ANSWER")
        columns = ("id", "shop", "text", "answers", "deadline", "answer")
        rows = ([_cell(one[column]) for column in columns] for one in map(dict, documents))
        if documents:
            table(names, rows)
        else:
            say("No question waits.")

    print_answer(as_json, documents, tell)


def _cell(value: Any) -> Any:
    return " | ".join(value) if isinstance(value, dict) else value


@group.command("show")
@click.argument("question_id", metavar="ID", type=int)
@as_json
def show(question_id: int, as_json: bool) -> None:
    """Show a question: its evidence, what each answer does, and what happens without one."""
    with session.opened() as runtime:
        document = questions.shown(session.caller(runtime), question_id)

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
    check_why(why)
    with session.opened() as runtime:
        document = questions.answer(session.caller(runtime), question_id, chosen, why)
    print_answer(as_json, document, lambda: say(f"Answered with {plain(chosen)}: {document['done']}."))
