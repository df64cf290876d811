"""Reaching connected systems: opening the connector of one with its own configuration, for just what is mapped."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from onewriter.connectors.interface import Problem, Wanted
from onewriter.connectors.kinds import kind_named
from onewriter.connectors.shopify import ShopifyConnector
from onewriter.customers import policies, systems
from onewriter.customers.systems import System
from onewriter.intake.reading import Reading
from onewriter.intake.targets import ShopifyTarget, SystemTarget, shopify_extras
from onewriter.records import SHOPIFY, Instant
from onewriter.rules.policy import Direction, Policy
from onewriter.runtime import Runtime

TOLD = (Direction.OUT, Direction.BOTH)


def wanted(policy: Policy, system: str) -> Wanted:
    """The remote fields that a system is opened for: all that are mapped are read, those that go out are written."""
    maps = policy.maps(system).values()
    read = tuple(dict.fromkeys(each.remote for each in maps))
    return Wanted(read, tuple(dict.fromkeys(each.remote for each in maps if each.direction in TOLD)))


def proposable(policy: Policy, system: str) -> Wanted:
    """The same with the system's own fields among those that are written: people may propose values to their owner."""
    every = wanted(policy, system)
    return Wanted(every.read, every.read)


def reading(runtime: Runtime, system: System, policy: Policy, run_id: str | None, began: Instant) -> Reading:
    """What a system is read with."""
    return Reading(
        vault=runtime.vault(system.shop_id),
        policy=policy,
        system=system.name,
        run_id=run_id,
        began=began,
        clean_before=system.cycle_at,
        keep_days=runtime.settings.number("log_values_keep_days"),
    )


@contextmanager
def opened(runtime: Runtime, system: System, run_id: str | None) -> Iterator[SystemTarget | ShopifyTarget]:
    """A system to read and write, for as long as it is needed. No network is used by opening it."""
    with runtime.database.read() as db:
        policy = policies.of_shop(db, system.shop_id)
    told = reading(runtime, system, policy, run_id, runtime.now())
    if system.is_shopify:
        fields = proposable(policy, SHOPIFY)
        client = runtime.client(system.shop_id)
        connector = ShopifyConnector(client, fields, namespaces=policy.namespaces)
        with closing(connector):
            extras = shopify_extras(fields.read)
            yield ShopifyTarget(runtime.database, told, client, runtime.now, connector, extras)
        return
    configuration = systems.open_configuration(runtime.vault(system.shop_id), system)
    with closing(kind_named(system.kind).open(configuration, proposable(policy, system.name))) as connector_:
        yield SystemTarget(runtime.database, told, connector_, runtime.now)


def check(runtime: Runtime, system: System, policy: Policy) -> list[str]:
    """What keeps a system from doing what its mapping needs, in sentences; nothing is written for it."""
    needed = wanted(policy, system.name)
    if system.is_shopify:
        connector = ShopifyConnector(runtime.client(system.shop_id), needed, namespaces=policy.namespaces)
        return [_told(each) for each in connector.check()]
    configuration = systems.open_configuration(runtime.vault(system.shop_id), system)
    with closing(kind_named(system.kind).open(configuration, needed)) as opened_:
        return [_told(each) for each in opened_.check()]


def _told(problem: Problem) -> str:
    return problem.message if problem.field is None else f"{problem.field}: {problem.message}"
