"""An import by hand: begun, carried out by an importer of the test's own, or hurried through its waits."""

from collections.abc import Callable

from onewriter.customers import runs
from onewriter.customers.runs import Run
from onewriter.intake.importer import Importer
from onewriter.records import SECOND, Instant
from onewriter.runtime import now
from onewriter.workflows.carrying import carry_out
from tests.support.joined import Joined


def adds_up(run: Run) -> bool:
    """True when what is active now is what was there at the start, and what came, less what went."""
    counts = run.counts
    return counts["active"] == counts["in_shop_at_start"] + counts["created_meanwhile"] - counts["deleted_meanwhile"]


def begun(shop: Joined) -> Run:
    """The shop's first run, taken up by a worker."""
    with shop.runtime.database.write() as db:
        return runs.begin(db, shop.run_id, now())


def importer(shop: Joined, clock: Callable[[], Instant]) -> Importer:
    """An importer by itself, whose clock is also where a test steps in: it looks at it before and in each batch."""
    return Importer(shop.runtime.database, shop.vault, shop.runtime.client(shop.shop_id), clock, 1, 30)


def hurried(shop: Joined) -> Run:
    """Carry the run out on a clock that waiting moves on at once."""
    waited: list[Instant] = []
    shop.runtime.client_options = {"sleep": lambda seconds: waited.append(round(seconds * SECOND))}
    shop.runtime.now = lambda: now() + sum(waited)
    carry_out(shop.runtime, shop.run_id, sleep=lambda seconds: waited.append(round(seconds * SECOND)))
    return shop.run()
