"""`onewriter check`: is this installation healthy?"""

from collections import Counter

import click

from onewriter.cli import session
from onewriter.cli.checks_here import check_databases
from onewriter.cli.frame import DONE, FINDINGS, UNREACHABLE
from onewriter.cli.inputs import as_json
from onewriter.cli.output import answer, plain, say
from onewriter.customers import shops
from onewriter.customers.shops import CONNECTED
from onewriter.desk.checked import Checked, Level
from onewriter.desk.checks_here import check_work
from onewriter.desk.checks_shop import check_shop
from onewriter.desk.checks_systems import check_systems
from onewriter.runtime import Runtime


@click.command("check")
@click.option("--strict", is_flag=True, help="Warnings count as findings too.")
@as_json
def check(strict: bool, as_json: bool) -> int:
    """Check whether this installation is healthy.

    One line a check, with the next step for what is not. Looks at the databases, the key store, the workers, the inbox,
    and at each connected shop: its token, scopes, subscriptions, API version and clock, and how its connected systems
    stood last. Exits with 1 when there is a fault (with --strict, a warning is one too), and with 3 when a database
    cannot be reached.
    """
    with session.unprepared() as runtime:
        lines, reached = _look(runtime)
    counted = Counter(line.level for line in lines)
    findings = counted[Level.FAULT] + (counted[Level.WARNING] if strict else 0)
    document = {"healthy": not findings, "checks": [line.document() for line in lines]}

    def tell() -> None:
        for line in lines:
            say(plain(line.line()))
        say(", ".join(_counted(counted[level], level) for level in Level) + ".")

    answer(as_json, document, tell)
    if not reached:
        return UNREACHABLE
    return FINDINGS if findings else DONE


def _counted(number: int, level: Level) -> str:
    return f"{number} {level.value}{'' if level is Level.OK or number == 1 else 's'}"


def _look(runtime: Runtime) -> tuple[list[Checked], bool]:
    """All checks, and whether the databases could be reached; without them nothing else can be looked at."""
    lines, reached = check_databases(runtime)
    if not reached:
        return lines, False
    lines += check_work(runtime)
    with runtime.database.read() as db:
        known = [shop for shop in shops.every(db) if shop.state == CONNECTED]
    if not known:
        step = "run `onewriter shop connect DOMAIN`"
        lines.append(Checked("shops", Level.WARNING, "no shop is connected", step))
    for shop in known:
        lines += check_shop(runtime, shop)
        lines += check_systems(runtime, shop)
    return lines, True
