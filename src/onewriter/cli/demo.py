"""`onewriter demo`: the story, told and checked."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from onewriter.cli.output import console, emit
from onewriter.cli.processes import interrupted

if TYPE_CHECKING:
    from onewriter.bench.story import Story
    from onewriter.bench.story_checks import Check


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the story; the exit code says whether every check held.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as one JSON document; implies --once.")
def demo(once: bool, as_json: bool) -> None:
    """Show onewriter at work on a sandbox shop.

    Starts a simulated shop of 2,000 customers and the service, connects them, imports, plays a day of shop life in
    seconds, lets customers earn, merge and spend points, connects a CRM that owns some of the fields, finds, mends and
    proves three things that go wrong there, and says for each claim whether it held. Everything is in a temporary
    folder and goes with the demo. At a terminal one more thing then goes wrong, and the demo stays open for you to look
    around, on the pages or by commands, until Ctrl-C.
    """
    from onewriter.bench.story import Story

    screen = console(stderr=as_json)
    folders = tempfile.TemporaryDirectory(prefix="onewriter-demo-", ignore_cleanup_errors=True)
    with interrupted(), folders as folder:
        story = Story(Path(folder), lambda line: screen.print(line, soft_wrap=True))
        try:
            checks = story.tell()
            _report(checks, as_json)
            if sys.stdin.isatty() and not once and not as_json:
                story.leave_open()
                _stay(story)
        finally:
            story.end()
    if not all(check.held for check in checks):
        raise click.exceptions.Exit(4)


def _report(checks: "Sequence[Check]", as_json: bool) -> None:
    if as_json:
        emit([{"claim": check.claim, "held": check.held, "detail": check.detail} for check in checks])
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "what was claimed", "what was seen"):
        drawn.add_column(column, overflow="fold")
    for check in checks:
        drawn.add_row("[green]held[/green]" if check.held else "[red]FAILED[/red]", check.claim, check.detail)
    screen = console()
    screen.print()
    screen.print(drawn)
    held = sum(check.held for check in checks)
    screen.print(f"\n{held} of {len(checks)} checks held.")


def _stay(story: "Story") -> None:
    """Leave everything running for somebody to look around."""
    email = story.somebody()
    screen = console()
    screen.print(
        "\n[bold]Open the pages[/bold]: this link lets you in once. A case is open there; see what to do first.\n"
    )
    screen.print(f"  {story.welcome()}", soft_wrap=True)
    screen.print("\n[bold]Or look by commands[/bold], in another terminal:\n")
    screen.print(f"  export ONEWRITER_DATA_DIR={story.environment['ONEWRITER_DATA_DIR']}", soft_wrap=True)
    for command in (
        f"customers find {email}",
        f'customers show {email} --history --reveal --why "looking around"',
        f"points show {story.loyal}",
        f"merge show {story.loyal}",
        "runs list",
        "inbox list --limit 10",
        "systems list",
        "fields show",
        "parked list",
        "cases list --all",
        "cases show 4",
        "check",
    ):
        screen.print(f"  {Path(sys.executable).parent / 'onewriter'} {command}", soft_wrap=True)
    screen.print(f"\nThe service answers at {story.address}. Ctrl-C ends the demo.")
    try:
        story.wait()
    except KeyboardInterrupt:
        screen.print("The demo ends, and its folder goes.")
