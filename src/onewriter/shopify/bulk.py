"""Bulk operations: Shopify reads all customers by itself and leaves a file of lines.

Since 2026-01 five may run at a time for each app and shop. Links to the file expire after 7 days.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onewriter.errors import BulkRefused, NotUnderstood
from onewriter.records import SECOND, Instant, parse_instant
from onewriter.shopify import queries
from onewriter.shopify.client import AdminClient

OVER = frozenset(("COMPLETED", "FAILED", "CANCELED", "EXPIRED"))
POLL_MAX_S = 10.0
"""Seconds between two looks at most; a look costs one point of the budget."""

_OPERATION_ID = re.compile(r"gid://shopify/BulkOperation/\d+")
_CODE = re.compile(r"[A-Z_]{1,64}")


class AlreadyRunning(BulkRefused):
    """As many operations as are allowed are running; `ids` are theirs, as far as Shopify names them."""

    def __init__(self, message: str, ids: tuple[str, ...]) -> None:
        super().__init__(message)
        self.ids = ids


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
    """Start reading all customers; AlreadyRunning if no more may run, BulkRefused with Shopify's code for the rest.

    It is not tried again by itself when the answer is lost: look at `running` first, or two would run.
    """
    answer = client.query(queries.BULK_RUN, {"query": queries.BULK_CUSTOMERS_QUERY})
    payload = answer.part("bulkOperationRunQuery")
    for error in payload["userErrors"]:
        raise _refused(client, error)
    return _operation(payload["bulkOperation"])


def _refused(client: AdminClient, error: dict[str, Any]) -> BulkRefused:
    given = error.get("code")
    code = given if isinstance(given, str) and _CODE.fullmatch(given) else "NO_CODE"
    if code != "OPERATION_IN_PROGRESS":
        return BulkRefused(f"Shopify refused the bulk operation ({code}).")
    named = _OPERATION_ID.findall(str(error.get("message")))
    ids = tuple(dict.fromkeys(named)) or tuple(operation.id for operation in running(client))
    return AlreadyRunning("As many bulk operations as Shopify allows are running; wait for one of them to end.", ids)


def running(client: AdminClient) -> list[BulkOperation]:
    """The bulk queries that are under way among the last twenty, newest first."""
    nodes = client.query(queries.BULK_RUNNING).part("bulkOperations")["nodes"]
    # The states are looked at here: `status:running` would leave out those that were only just created, and Shopify
    # passes over search filters that it does not know.
    found = [_operation(node) for node in nodes if node["type"] == "QUERY"]
    return [operation for operation in found if not operation.is_over]


def read_operation(client: AdminClient, id: str) -> BulkOperation:
    """The operation as it is now; BulkRefused if Shopify does not know it."""
    node = client.query(queries.BULK_STATUS, {"id": id}).data["bulkOperation"]
    if node is None:
        raise BulkRefused("Shopify does not know this bulk operation; start the run again.")
    return _operation(node)


def wait(
    client: AdminClient,
    id: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    poll_s: float = 1.0,
    deadline: Instant,
    on_poll: Callable[[BulkOperation], None] | None = None,
) -> BulkOperation:
    """Look until the operation is over or the client's clock passes `deadline`; look at `is_over` to know which.

    The pauses grow from `poll_s` to ten seconds. `on_poll` gets each look, for progress; what it raises ends the wait.
    """
    while True:
        operation = read_operation(client, id)
        if on_poll is not None:
            on_poll(operation)
        left_s = (deadline - client.now()) / SECOND
        if operation.is_over or left_s <= 0:
            return operation
        sleep(min(poll_s, left_s))
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
