"""How a case is told to people at a terminal: how its proof stands."""

import click

from onewriter.cli.output import say, table
from onewriter.desk.case_steps import awaited
from onewriter.desk.cases import MEANS
from onewriter.rules.diagnosis.proof import CheckState, State, progress
from onewriter.workflows.proving import Standing

NUMBER = click.argument("number", type=click.IntRange(1, 1_000_000_000), metavar="CASE")


def tell_proof(standing: Standing) -> None:
    """Print how the proof stands; nothing of a case that was not mended."""
    if not standing.checks:
        return
    case = standing.case
    say(f"Proof: {progress([each.proof for each in standing.checks])}.")
    needed = [each.proof for each in standing.checks if each.proof.state is not CheckState.NOT_NEEDED]
    table(
        ("CHECK", "STATE", "WHAT IT MEANS", "SEEN"),
        [(each.name.value, each.state.value, MEANS[each.name], each.told or "not looked at yet") for each in needed],
    )
    if standing.awaited and case.state in (State.WAITING, State.FIX_APPLIED):
        say(f"Awaited since the fix: {', '.join(map(awaited, standing.awaited))}.")
