"""Asking a system what it holds: before it is connected, and whenever somebody checks it."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec

from onewriter.connectors.configuring import refuse_unfit
from onewriter.connectors.interface import Discovery, Problem, Wanted
from onewriter.connectors.kinds import kind_named
from onewriter.customers import systems
from onewriter.customers.systems import System
from onewriter.runtime import Runtime

NOTHING = Wanted(read=())


def try_out(kind: str, configuration: Mapping[str, Any]) -> tuple[list[Problem], Discovery | None]:
    """What keeps us from a system of that configuration; where nothing does, what it says of itself.

    Raises BadSetting for a configuration that does not fit, and what reaching the system raises.
    """
    named = kind_named(kind)
    refuse_unfit(kind, named.spec(), configuration)
    with closing(named.open(configuration, NOTHING)) as connector:
        problems = list(connector.check())
        return problems, None if problems else connector.discover()


def discover(runtime: Runtime, system: System) -> Discovery:
    """What a connected system says of itself now."""
    configuration = systems.open_configuration(runtime.vault(system.shop_id), system)
    with closing(kind_named(system.kind).open(configuration, NOTHING)) as connector:
        return connector.discover()


def kept(discovery: Discovery) -> dict[str, Any]:
    """What is kept of it: names, types and limits of fields, and what the system can do; no value of anybody's."""
    # A library may name a column by a kind of text of its own.
    document: dict[str, Any] = msgspec.to_builtins(discovery, enc_hook=str)
    return document
