"""Commands that people type: short processes of their own, which may crash like any other."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from onewriter.bench.simulate.crashes import Crash
from onewriter.bench.simulate.processes import Process
from onewriter.bench.simulate.timeline import Strand
from onewriter.customers import erasing, runs, shops
from onewriter.errors import OnewriterError
from onewriter.intake.connect import Wish
from onewriter.runtime import Runtime, new_run_id
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION
from onewriter.workflows import orders

if TYPE_CHECKING:
    from onewriter.bench.simulate.world import World

Deed = Callable[[Runtime], None]

ADMIN_URL = "http://sandbox"
PUBLIC_URL = "http://door"
AGAIN_S = (20.0, 600.0)
BY = "user:simulation"


class Command(Process):
    """One command, from the key that was pressed to its end."""

    def __init__(self, world: "World", doing: str, deed: Deed, *, again: bool) -> None:
        super().__init__(world, doing)
        self._deed, self._again = deed, again

    def begin(self) -> None:
        """Carry it out."""
        self.strand(self.name, lambda: self._deed(self.runtime)).start()

    def _ended(self, strand: Strand, error: BaseException | None) -> None:
        self._strands.remove(strand)
        self.world.over(self)
        if error is None:
            self.world.tally.commands_done[self.name] += 1
            return
        if not isinstance(error, Crash | OnewriterError):
            self.world.broke(self.name, error)
        self.world.tally.commands_failed[f"{self.name}: {type(error).__name__}"] += 1
        if self._again:
            wait_s = self.rng.uniform(*AGAIN_S)
            self.timeline.after(wait_s, lambda: self.world.command(self.name, self._deed, again=True))


def connect(world: "World", *, grants: bool) -> Deed:
    """`shop connect`: with a token, or letting our app ask for its tokens itself."""
    access = world.shop.access
    secret = access.client_secret
    if grants:
        credentials = Credentials(
            "client_credentials", client_id=access.client_id, client_secret=secret, api_secrets=(secret,)
        )
    else:
        credentials = Credentials("token", access_token=access.token, api_secrets=(secret,))
    wish = Wish(world.shop.domain, ADMIN_URL, PUBLIC_URL, API_VERSION, None, credentials)

    def deed(runtime: Runtime) -> None:
        with runtime.client_for(ADMIN_URL, credentials, API_VERSION) as client:
            runtime.connector().connect(client, wish, BY, runtime.now())

    return deed


def queue_orders(runtime: Runtime) -> None:
    """`sync orders`: a reconcile of the orders that changed lately."""
    with runtime.database.write() as db:
        (shop,) = shops.every(db)
        orders.queue(runtime, db, shop.id, BY, runtime.now())


def end_erasures(runtime: Runtime) -> None:
    """What the hourly work does beside the rest: destroy the keys that a process left which died after an erasure."""
    erasing.end(runtime.database, runtime.keys, runtime.now())


def queue(kind: str) -> Deed:
    """`sync import` or `sync reconcile`: a run of that kind."""

    def deed(runtime: Runtime) -> None:
        moment = runtime.now()
        run_id = new_run_id(moment)
        with runtime.database.write() as db:
            (shop,) = shops.every(db)
            runs.add(db, run_id, shop.id, kind, BY, moment)
            runtime.enqueue(db, run_id)

    return deed
