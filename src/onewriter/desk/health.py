"""Whether an installation is healthy, as far as it can be told without asking Shopify or a system anything."""

from typing_extensions import TypedDict

from onewriter.customers.people import Role
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.desk.caller import Caller
from onewriter.desk.checked import CheckDocument, Level
from onewriter.desk.checks_here import check_apart, check_key_file, check_keys, check_work
from onewriter.desk.checks_shop import check_recorded
from onewriter.desk.checks_systems import check_systems
from onewriter.desk.choosing import choose_shop


class HealthDocument(TypedDict):
    """Every check, each with its next step where something is not well."""

    healthy: bool
    checks: list[CheckDocument]


def health(caller: Caller, named: str | None) -> HealthDocument:
    """The keys, the work that waits, and a shop with its systems; `onewriter check` asks Shopify besides."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
    return _look(caller, shop)


def _look(caller: Caller, shop: Shop) -> HealthDocument:
    runtime = caller.runtime
    lines = [*check_work(runtime), *check_key_file(runtime), *check_keys(runtime), check_apart(runtime)]
    if shop.state == CONNECTED:
        lines += [*check_recorded(runtime, shop, caller.now), *check_systems(runtime, shop)]
    # What is not well comes first, the worst before all.
    worst = list(Level)[::-1]
    lines.sort(key=lambda line: worst.index(line.level))
    healthy = all(line.level is not Level.FAULT for line in lines)
    return {"healthy": healthy, "checks": [line.document() for line in lines]}
