"""Watching a run: a bar on a terminal, plain lines where there is none, JSON lines for programs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from onewriter.cli import session
from onewriter.cli.frame import DONE, FAILED, PARTLY
from onewriter.cli.output import console, emit, note, say
from onewriter.cli.progress import line_of, short_line_of
from onewriter.customers import runs, shops
from onewriter.customers.runs import Run
from onewriter.desk.runs import run_document
from onewriter.errors import Permanent
from onewriter.records import RunState
from onewriter.runtime import Runtime, now

LOOK_EACH_S = 0.4
TELL_EACH_S = 5.0
"""How often a line is printed where there is no terminal."""

CODES = {RunState.DONE: DONE, RunState.PARTIAL: PARTLY, RunState.PAUSED: PARTLY, RunState.FAILED: FAILED}
"""What to exit with in each state in which a run moves no more by itself."""

Show = Callable[[Run], None]


class NoWorker(Permanent):
    """Nobody will carry the run out."""


def watch_run(runtime: Runtime, run_id: str, *, as_json: bool, wait: bool) -> int:
    """Show the run until it is over or paused; the exit code says how it ended."""
    with runtime.database.read() as db:
        domain = shops.by_id(db, runs.get(db, run_id).shop_id).domain
    warned = False
    with _screen(domain, as_json) as show:
        while True:
            with runtime.database.read() as db:
                run = runs.get(db, run_id)
                lives = run.state in CODES or session.worker_lives(runtime, db)
            show(run)
            if run.state in CODES:
                break
            if not lives and not wait:
                raise NoWorker("No worker is running, so the run stands still; start `onewriter serve`.")
            if not lives and not warned:
                note(session.NO_WORKER)
            warned = not lives
            time.sleep(LOOK_EACH_S)
    if not as_json:
        say(line_of(run, now()) + (f". {run.reason}" if run.reason else ""))
    return CODES[run.state]


@contextmanager
def _screen(domain: str, as_json: bool) -> Iterator[Show]:
    """Where a run is shown: JSON lines, a bar on a terminal, or plain lines."""
    if as_json:
        yield _json_lines(domain)
        return
    drawn = console(stderr=True)
    if not drawn.is_terminal:
        yield _plain_lines()
        return
    columns = (SpinnerColumn(), TextColumn("{task.fields[shop]}"), BarColumn(24), TextColumn("{task.description}"))
    with Progress(*columns, console=drawn, transient=True) as bar:
        task = bar.add_task("queued", total=None, shop=domain.removesuffix(".myshopify.com"))

        def show(run: Run) -> None:
            bar.update(task, completed=run.done, total=run.total, description=short_line_of(run, now()))

        yield show


def _json_lines(domain: str) -> Show:
    """One document a change; the rate and the time left move by themselves and are no change."""
    shown: list[Run] = []

    def show(run: Run) -> None:
        if shown != [run]:
            shown[:] = [run]
            emit(run_document(run, domain, now()))

    return show


def _plain_lines() -> Show:
    """A line at each change of state, and every few seconds."""
    state: list[RunState] = []
    told = time.monotonic()

    def show(run: Run) -> None:
        nonlocal told
        if run.state in CODES or (state == [run.state] and time.monotonic() - told < TELL_EACH_S):
            return
        state[:] = [run.state]
        told = time.monotonic()
        note(line_of(run, now()))

    return show
