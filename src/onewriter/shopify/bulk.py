"""Bulk operations: Shopify reads all customers by itself and leaves a file of lines.

Since 2026-01 five may run at a time for each app and shop. Links to the file expire after 7 days.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onewriter.errors import BulkRefused, NotUnderstood, OnewriterError, Temporary
from onewriter.records import SECOND, Instant, parse_instant
from onewriter.shopify import queries
from onewriter.shopify.client import AdminClient

OVER = frozenset(("COMPLETED", "FAILED", "CANCELED", "EXPIRED"))
POLL_MAX_S = 10.0
"""Seconds between two looks at most; a look costs one point of the budget."""

BUSY = frozenset(("OPERATION_IN_PROGRESS", "LIMIT_REACHED"))
"""The codes of a refusal that passes by itself."""

_CODE = re.compile(r"[A-Z_]{1,64}")


class BulkBusy(Temporary):
    """As many operations as Shopify allows are running."""


class BulkGone(BulkRefused):
    """Shopify no longer has the operation or its file; only a new operation helps."""


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """A bulk operation as Shopify last described it. Keep `url` and `partial_url` out of logs: they open the file."""

    id: str
    status: str
    """CREATED, RUNNING, CANCELING, or one of OVER."""
    created: Instant
    """When the read began: what its lines say is at least as new as this."""
    object_count: int
    """Objects so far; of a completed operation without nested connections, the lines of its file."""
    url: str | None = None
    """The file; None while it runs, and for a shop without customers."""
    partial_url: str | None = None
    """What a failed operation had written, if anything."""
    error_code: str | None = None

    @property
    def is_over(self) -> bool:
        """True once nothing more will happen, well or badly."""
        return self.status in OVER


def start_customers(client: AdminClient) -> BulkOperation:
    """Start reading all customers; BulkBusy if no more may run now, BulkRefused with Shopify's code for the rest.

    It is not tried again by itself when the answer is lost: look for it with `started_since`, or two would run.
    """
    answer = client.query(queries.BULK_RUN, {"query": queries.BULK_CUSTOMERS_QUERY})
    payload = answer.part("bulkOperationRunQuery")
    for error in payload["userErrors"]:
        raise _refusal(error)
    return _operation(payload["bulkOperation"])


def _refusal(error: dict[str, Any]) -> BulkBusy | BulkRefused:
    given = error.get("code")
    code = given if isinstance(given, str) and _CODE.fullmatch(given) else "NO_CODE"
    if code in BUSY:
        return BulkBusy(f"As many bulk operations as Shopify allows are running ({code}); wait for one of them to end.")
    return BulkRefused(f"Shopify refused the bulk operation ({code}).")


def running(client: AdminClient) -> list[BulkOperation]:
    """The bulk reads of all customers that are under way among the last twenty bulk queries, newest first."""
    nodes = client.query(queries.BULK_RUNNING).part("bulkOperations")["nodes"]
    # The states are looked at here: `status:running` would leave out those that were only just created, and Shopify
    # passes over search filters that it does not know. The app may also read other things than customers in bulk.
    ours = queries.BULK_CUSTOMERS_QUERY.split()
    found = [_operation(node) for node in nodes if node["type"] == "QUERY" and node["query"].split() == ours]
    return [operation for operation in found if not operation.is_over]


def started_since(client: AdminClient, asked: Instant) -> BulkOperation | None:
    """The newest read of all customers that is under way and was started since then; None if there is none."""
    # Shopify gives whole seconds, so the one that was asked for may seem a second older than the asking.
    return next((operation for operation in running(client) if operation.created >= asked - SECOND), None)


def read_operation(client: AdminClient, id: str) -> BulkOperation:
    """The operation as it is now; BulkGone if Shopify does not know it."""
    node = client.query(queries.BULK_STATUS, {"id": id}).data["bulkOperation"]
    if node is None:
        raise BulkGone("Shopify does not know this bulk operation any more.")
    return _operation(node)


def cancel(client: AdminClient, operation: BulkOperation) -> BulkOperation:
    """Tell Shopify that nobody waits for an operation any more, or it would take one of five places for days.

    Returns it as it then is; where Shopify does not do so, it is left as it was, and that is no error.
    """
    try:
        payload = client.query(queries.BULK_CANCEL, {"id": operation.id}).part("bulkOperationCancel")
        return _operation(payload["bulkOperation"])
    except OnewriterError:
        return operation


def wait(
    client: AdminClient,
    id: str,
    *,
    poll_s: float = 1.0,
    deadline: Instant,
    enough: Callable[[BulkOperation], bool] | None = None,
) -> BulkOperation:
    """Look until the operation is over, the client's clock passes `deadline`, or `enough` of a look says so.

    `is_over` tells which it was. The pauses grow from `poll_s` to ten seconds.
    """
    while True:
        operation = read_operation(client, id)
        left_s = (deadline - client.now()) / SECOND
        if operation.is_over or left_s <= 0 or (enough is not None and enough(operation)):
            return operation
        client.sleep(min(poll_s, left_s))
        poll_s = min(poll_s * 1.5, POLL_MAX_S)


def _operation(node: Any) -> BulkOperation:
    try:
        return BulkOperation(
            id=node["id"],
            status=node["status"],
            created=parse_instant(node["createdAt"]),
            object_count=int(node["objectCount"]),
            url=node["url"],
            partial_url=node["partialDataUrl"],
            error_code=node["errorCode"],
        )
    except (KeyError, TypeError, ValueError):
        raise NotUnderstood("Shopify described a bulk operation in a form that we cannot read.") from None
