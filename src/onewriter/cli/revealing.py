"""Revealing protected values: who saw which fields of whom, and why, is in the access log before anything is opened."""

from collections.abc import Sequence

from onewriter.cli import session
from onewriter.cli.access import About
from onewriter.customers.shops import Shop
from onewriter.runtime import Runtime


def permit_reveal(runtime: Runtime, shop: Shop, about: Sequence[About], why: str) -> None:
    """Let values be opened once this returns; as `Caller.permit_reveal` says."""
    session.caller(runtime).permit_reveal(shop, about, why)
