"""`onewriter diagnose`: why two systems disagree, out of a folder of files, with neither a shop nor a database."""

from pathlib import Path
from typing import Any

import click

from onewriter.audit.bundle import Reading, reading
from onewriter.cli.diagnosed import document_of, real, tell_all, tell_one
from onewriter.cli.frame import DONE, FINDINGS, PARTLY
from onewriter.cli.inputs import as_json
from onewriter.cli.output import answer, note
from onewriter.rules.evidence import Outcome

PROBLEMS_MAX = 10
"""So many lines that could not be read are named to people; --json has more."""
PROBLEMS_TOLD_MAX = 1000


@click.command("diagnose")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--case", "number", type=click.IntRange(1), help="Show only this case, with all of its evidence.")
@as_json
def diagnose(folder: Path, number: int | None, as_json: bool) -> int:
    """Say why two systems disagree, out of a folder of exports.

    DIR is an evidence bundle: what the two systems hold, and whatever else is there of links, rules, runs, earlier
    snapshots and a log of writes. The more there is, the surer the answer; what is missing is told with each case. It
    needs neither a shop nor a database, writes nothing, and names records by their ids of the source alone.

    The boundary comes first, then the cases, the most important first: what differs, why, the first move, and what not
    to do. Exits with 1 where there is a case or a look at the boundary fails, and with 5 where there is none, and lines
    could not be read.
    """
    from onewriter.rules.diagnosis.diagnosing import diagnose as diagnosed  # so that --help need not wait for it

    read = reading(folder)
    found = diagnosed(read.evidence)
    if number is not None and number > len(found.cases):
        raise click.UsageError(f"There are {len(found.cases)} cases; --case names one of them by its number")
    document = document_of(found, read.evidence, number) | _passed_over(read)

    def tell() -> None:
        _note_problems(read)
        if number is None:
            tell_all(document)
        else:
            tell_one(document["cases"][0])

    answer(as_json, document, tell)
    if real(document) or any(each.outcome is Outcome.FAIL for each in found.constraints):
        return FINDINGS
    return PARTLY if read.problems else DONE


def _passed_over(read: Reading) -> dict[str, Any]:
    told = [{"file": each.file, "line": each.line, "reason": each.reason} for each in read.problems[:PROBLEMS_TOLD_MAX]]
    return {"unread": len(read.problems), "unread_lines": told, "said_twice": read.twice}


def _note_problems(read: Reading) -> None:
    for each in read.problems[:PROBLEMS_MAX]:
        place = each.file if each.line is None else f"{each.file}, line {each.line}"
        note(f"{place}: {each.reason}.")
    more = len(read.problems) - PROBLEMS_MAX
    if more > 0:
        note(f"{more:,} more could not be read; --json names them.")
    for name, count in read.twice.items():
        note(f"{name}: {count:,} said again what another line had said, and the last one counts.")
