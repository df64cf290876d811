"""Revealing protected values: who saw which fields of whom, and why, is in the access log before anything is opened."""

from collections.abc import Sequence

import structlog

from onewriter.cli.access import About, Role, permit
from onewriter.cli.session import actor
from onewriter.customers.access import REVEAL
from onewriter.customers.shops import Shop
from onewriter.records import id_text
from onewriter.runtime import Runtime


def permit_reveal(runtime: Runtime, shop: Shop, about: Sequence[About], why: str) -> None:
    """Let values be opened once this returns: all of it is written down, in one transaction. Refused, it is too.

    The reason is in the access log alone, sealed: a line of an ordinary log outlives the customer that it may name.
    """
    permit(runtime, Role.STAFF, REVEAL, about, shop_id=shop.id, why=why)
    log = structlog.get_logger(__name__)
    for one in about:
        whose = {} if one.customer_id is None else {"customer": id_text(one.customer_id)}
        what = {} if one.subject is None else {"subject": one.subject}
        # A warning, so that it is in the log whatever usual level the log is set to.
        log.warning("values revealed", actor=actor(), shop=shop.domain, fields=list(one.fields), **whose, **what)
