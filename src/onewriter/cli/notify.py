"""`onewriter notify`: what people are told of without looking, by webhook and by mail."""

import click

from onewriter.cli import session
from onewriter.cli.frame import DONE, FAILED
from onewriter.cli.inputs import as_json, limit_option
from onewriter.cli.output import answer, say, table
from onewriter.desk import notices

NONE_SET = "No notice goes anywhere: set notify_webhook_url or notify_mail_to; docs/notifications.md tells how."


@click.group("notify")
def group() -> None:
    """See what people were told of, and test how they are told.

    A worker tells of runs that fail, deadlines of privacy requests that near, cases that return and questions that wait
    for somebody, by a signed webhook and by mail.
    """


@group.command("test")
@as_json
def test(as_json: bool) -> int:
    """Send a test over every channel that is set, and say whether it arrived."""
    with session.opened() as runtime:
        tried = notices.try_out(session.caller(runtime))

    def tell() -> None:
        if not tried:
            say(NONE_SET)
        for each in tried:
            say(f"{each['channel']}: {'arrived' if each['arrived'] else each['error']}")

    answer(as_json, {"channels": tried}, tell)
    return DONE if tried and all(each["arrived"] for each in tried) else FAILED


@group.command("list")
@limit_option
@as_json
def list_notices(limit: int, as_json: bool) -> None:
    """List what people were told of, the newest first, and whether it arrived."""
    with session.opened() as runtime:
        found = notices.listed(session.caller(runtime), None, limit)["items"]

    def tell() -> None:
        if not found:
            say("Nobody was told of anything yet.")
            return
        rows = (
            (each["id"], each["made_at"], each["channel"], each["state"], each["tries"], each["kind"], each["subject"])
            for each in found
        )
        table(("ID", "WRITTEN", "CHANNEL", "STATE", "TRIES", "ABOUT", "WHICH"), rows)
        for each in found:
            if each["error"]:
                say(f"{each['id']}: {each['error']}")

    answer(as_json, found, tell)


@group.command("retry")
@click.argument("notice", metavar="ID", type=int)
@as_json
def retry(notice: int, as_json: bool) -> None:
    """Have a notice sent again that was given up."""
    with session.opened() as runtime:
        document = notices.retry(session.caller(runtime), notice)
    answer(as_json, document, lambda: say(f"Notice {notice} is sent again within a minute, while a worker runs."))
